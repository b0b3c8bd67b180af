# Query 10, log to files: bids as Parquet, a directory for each day and
# minute; here they are read again.
dp-map '.dt = .dateTime[0:10] | .hm = .dateTime[11:16]' bid.ndjson |
dp-partition -q --by dt --by hm -o log |
dp-cat --to records |
dp-map '{auction, bidder, price, dateTime, extra}'
