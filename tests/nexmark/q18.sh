# Query 18, last bid: of each bidder and auction.
dp-dedupe --key bidder,auction --keep max:dateTime bid.ndjson
