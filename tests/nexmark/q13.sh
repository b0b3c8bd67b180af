# Query 13, bounded side input: a file of values beside the stream.
dp-map '.key = .auction % 10000' bid.ndjson |
dp-join --with side.csv --on key --take value |
dp-map '{auction, bidder, price, dateTime, value}'
