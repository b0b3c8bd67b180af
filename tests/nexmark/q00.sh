# Query 0, pass through: every bid as it came.
dp-map '{auction, bidder, price, dateTime, extra}' bid.ndjson
