"""Tables and time series."""

import json

import numpy as np

from dl_course.data.files import read_rows, read_text


def cars():
    """Auto MPG (Ramos & Donoho, 1983): cars sold in the USA, with real dirt.

    Returns 406 dicts: "Name" str; "Miles_per_Gallon" (US), "Cylinders", "Displacement"
    (cubic inches), "Horsepower", "Weight_in_lbs" and "Acceleration" (seconds from 0 to
    60 mph) numbers, None where missing; "Year" str "1970-01-01" (the model year);
    "Origin" "USA", "Europe" or "Japan".
    """
    return json.loads(read_text("cars.json"))


def sunspots():
    """Monthly mean sunspot number (SIDC, old scale), January 1749 to June 2009.

    Returns (months, numbers): (3126,) datetime64[M] and (3126,) float64, a count.
    """
    rows = read_rows("sunspots.csv", ",")[1:]
    months = [f"{year}-{int(month):02}" for year, month, _ in rows]
    return np.array(months, "datetime64[M]"), np.array([float(row[2]) for row in rows])


def co2():
    """Weekly mean CO2 at Mauna Loa (Keeling & Whorf, 2004), March 1958 to end of 2001.

    Returns (weeks, concentrations): (2284,) datetime64[D], Saturdays, and (2284,)
    float64 in parts per million by volume; NaN where missing (59 weeks).
    """
    rows = read_rows("co2.csv", ",")[1:]
    weeks = [f"{day[:4]}-{day[4:6]}-{day[6:]}" for day, _ in rows]
    values = [float(value) if value else np.nan for _, value in rows]
    return np.array(weeks, "datetime64[D]"), np.array(values)


def seattle_weather():
    """Daily weather in Seattle (NOAA), 2012 to 2015.

    Returns a dict of arrays (1461,): "date" datetime64[D]; "precipitation" in mm,
    "temp_max" and "temp_min" in °C, "wind" in m/s, all float64; "weather" str, one of
    drizzle, fog, rain, snow, sun.
    """
    header, *rows = read_rows("seattle-weather.csv", ",")
    columns = dict(zip(header, zip(*rows, strict=True), strict=True))
    days = [day.replace("/", "-") for day in columns.pop("date")]
    table = {"date": np.array(days, "datetime64[D]")}
    for name, column in columns.items():
        table[name] = np.array(column, str if name == "weather" else np.float64)
    return table


def el_nino():
    """Monthly sea surface temperature, Niño 1+2 (NOAA, ERSST.V3B), 1950 to 2010.

    Returns (years, temperatures): (61,) int64 and (61, 12) float64 in °C, January
    first; `temperatures.reshape(-1)` is the monthly series.
    """
    rows = read_rows("el-nino.csv", ",")[1:]
    years = np.array([row[0] for row in rows], np.int64)
    return years, np.array([row[1:] for row in rows], np.float64)  # (61,), (61, 12)
