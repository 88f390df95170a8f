"""What `make` calls: build and execute notebooks, run the course, open the lab."""
