"""Adds up sales.csv by city: python3 script.py [CITY ...]"""
import csv
import sys
from collections import defaultdict

totals = defaultdict(float)
with open("sales.csv", newline="") as file:
    for row in csv.DictReader(file):
        totals[row["city"]] += int(row["copies"]) * float(row["price"])

for city in sys.argv[1:] or sorted(totals):
    print(f"{city:<8}{totals[city]:>8.2f}")
