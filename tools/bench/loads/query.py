"""Has DuckDB answer a query. The arguments are a file of SQL that gives the tables their names, and one with the query; the tables
are below the working directory. Prints the rows of the answer, and the seconds until they were there."""

import sys
import time

import duckdb

names, query = (open(file, encoding="utf-8").read() for file in sys.argv[1:])
begin = time.perf_counter()
database = duckdb.connect()
database.execute(names)
rows = database.execute(query).fetchall()
print("seconds", time.perf_counter() - begin)
print("rows", len(rows))
