# Query 2, selection: bids on some auctions.
dp-map --where '.auction % 123 == 0' '{auction, price}' bid.ndjson
