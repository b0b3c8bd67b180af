"""One set of rules over real orders, judged by dp-validate and by another checker: the same verdict and the same count for each rule.  TAP.

usage: quality.py contract|gx|soda FOLDER     (FOLDER has orders.odcs.yaml, orders.parquet and ours.ndjson, see quality.sh)

Known differences, which the tests hold to:
  duplicates   Great Expectations counts all rows of a value that is there twice; we and the others count the values, and tell the rows beyond the first as surplus.
  ranges       Soda and Great Expectations judge minimum and maximum as one rule; ours are two, whose counts add up.
  exclusive    datacontract-cli judges an exclusive minimum as two checks, at least and not equal; ours is one, whose count is their sum.
  types        datacontract-cli does not check types of Parquet files (it says so).
"""
import json
import logging
import os
import sys

import tap
from tap import ok

os.environ["GX_ANALYTICS_ENABLED"] = "false"
logging.disable(logging.WARNING)
peer, folder = sys.argv[1:3]
os.chdir(folder)
rows = [json.loads(line) for line in open("ours.ndjson")]
ours = {(r["property"], r["check"]): r for r in rows if "summary" not in r}
tap.prefix = peer + ": "


def compare(words, keys, passed, count, per_row=False):
    """Our rules `keys` together say what the peer's one says. per_row: the peer counts all rows of what is there twice."""
    mine = [ours[k] for k in keys]
    total = sum(r["count"] + (r.get("surplus", 0) if per_row else 0) for r in mine)
    verdict = all(r["outcome"] == "pass" for r in mine)
    good = verdict == passed and (count is None or total == count)
    ok(good, words, "ours %s %s, theirs %s %s" % (verdict, total, passed, count))


def frame():
    import duckdb
    return duckdb.sql("FROM 'orders.parquet'").df()


def gx():
    import great_expectations
    from great_expectations import expectations as e
    context = great_expectations.get_context(mode="ephemeral")
    asset = context.data_sources.add_pandas("orders").add_dataframe_asset("orders")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame()})
    countries = ["United Kingdom", "France", "Germany", "EIRE", "Spain", "Norway"]
    cases = [
        ("not null", [("CustomerID", "required")], e.ExpectColumnValuesToNotBeNull(column="CustomerID"), False),
        ("not null where all are there", [("StockCode", "required")], e.ExpectColumnValuesToNotBeNull(column="StockCode"), False),
        ("pattern", [("InvoiceNo", "pattern")], e.ExpectColumnValuesToMatchRegex(column="InvoiceNo", regex="^[0-9]{6}$"), False),
        ("length", [("StockCode", "minLength")], e.ExpectColumnValueLengthsToBeBetween(column="StockCode", min_value=5), False),
        ("range", [("Quantity", "minimum"), ("Quantity", "maximum")], e.ExpectColumnValuesToBeBetween(column="Quantity", min_value=1, max_value=1000), False),
        ("open range", [("UnitPrice", "exclusiveMinimum"), ("UnitPrice", "maximum")],
         e.ExpectColumnValuesToBeBetween(column="UnitPrice", min_value=0, strict_min=True, max_value=500), False),
        ("set, within tolerance", [("Country", "invalidValues")], e.ExpectColumnValuesToBeInSet(column="Country", value_set=countries, mostly=0.98), False),
        ("unique", [("InvoiceNo", "duplicateValues")], e.ExpectColumnValuesToBeUnique(column="InvoiceNo"), True),
        ("compound key", [(None, "duplicateValues")], e.ExpectCompoundColumnsToBeUnique(column_list=["InvoiceNo", "StockCode"]), True),
    ]
    for words, keys, expectation, per_row in cases:
        r = batch.validate(expectation)
        compare(words, keys, r.success, r.result["unexpected_count"], per_row)
    r = batch.validate(e.ExpectTableRowCountToBeBetween(min_value=14000, max_value=15000))
    compare("row count", [(None, "rowCount")], r.success, r.result["observed_value"])


SODA = """
checks for orders:
  - row_count between 14000 and 15000
  - missing_count(CustomerID) = 0
  - missing_count(Description) < 60:
      missing values: ['', '?', damages]
  - invalid_count(InvoiceNo) = 0:
      valid regex: ^[0-9]{6}$
  - invalid_count(Country) < 280:
      valid values: [United Kingdom, France, Germany, EIRE, Spain, Norway]
  - duplicate_count(InvoiceNo) < 100
  - duplicate_count(InvoiceNo, StockCode) = 0
  - invalid_count(Quantity) = 0:
      valid min: 1
      valid max: 1000
  - invalid_count(StockCode) = 0:
      valid min length: 5
"""


def soda():
    import duckdb
    from soda.scan import Scan
    con = duckdb.connect()
    con.execute("CREATE TABLE orders AS FROM 'orders.parquet'")
    scan = Scan()
    scan.add_duckdb_connection(con)
    scan.set_data_source_name("duckdb")
    scan.add_sodacl_yaml_str(SODA)
    scan.execute()
    theirs = {c["name"]: c for c in scan.get_scan_results()["checks"]}
    cases = [
        ("row_count between 14000 and 15000", [(None, "rowCount")]), ("missing_count(CustomerID) = 0", [("CustomerID", "required")]),
        ("missing_count(Description) < 60", [("Description", "missingValues")]), ("invalid_count(InvoiceNo) = 0", [("InvoiceNo", "pattern")]),
        ("invalid_count(Country) < 280", [("Country", "invalidValues")]), ("duplicate_count(InvoiceNo) < 100", [("InvoiceNo", "duplicateValues")]),
        ("duplicate_count(InvoiceNo, StockCode) = 0", [(None, "duplicateValues")]), ("invalid_count(Quantity) = 0", [("Quantity", "minimum"), ("Quantity", "maximum")]),
        ("invalid_count(StockCode) = 0", [("StockCode", "minLength")]),
    ]
    for name, keys in cases:
        check = theirs[name]
        compare(name, keys, check["outcome"] == "pass", check["diagnostics"]["value"])


def contract():
    from datacontract.data_contract import DataContract
    names = {"field_required": "required", "field_max_length": "maxLength", "field_min_length": "minLength", "field_regex": "pattern", "field_minimum": "minimum",
             "field_maximum": "maximum", "field_duplicate_values": "duplicateValues", "field_null_values": "nullValues", "field_missing_values": "missingValues",
             "field_invalid_values": "invalidValues", "row_count": "rowCount", "model_duplicate_values": "duplicateValues"}
    run = DataContract(data_contract_file="orders.odcs.yaml").test()
    exclusive = 0
    for c in run.checks:
        passed = str(c.result).endswith("passed")
        if c.type == "field_type" or c.type == "field_is_present":
            ok(str(c.result).endswith(("passed", "warning")), "%s %s" % (c.type, c.field), c.reason)
        elif c.field == "UnitPrice" and c.type in ("field_minimum", "field_not_equal"):
            exclusive += c.diagnostics["value"]
        elif c.type in names:
            compare("%s %s" % (names[c.type], c.field), [(c.field, names[c.type])], passed, c.diagnostics["value"])
        else:
            ok(False, "a check of a kind that is not known: " + c.type)
    compare("exclusiveMinimum UnitPrice", [("UnitPrice", "exclusiveMinimum")], exclusive == 0, exclusive)
    said = {(c.field, names.get(c.type)) for c in run.checks}
    ok(all(k in said or k[1] in ("type", "exclusiveMinimum") for k in ours), "judges each rule that we do", [k for k in ours if k not in said])


{"gx": gx, "soda": soda, "contract": contract}[peer]()
tap.done()
