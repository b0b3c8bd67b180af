# Query 7, highest bid: all bids that are the highest of their ten seconds.
dp-window --time dateTime --delay 3s --tumble 10s \
    --agg 'most=max(price),bids=collect()' bid.ndjson |
dp-map '.most as $most | .bids[] | select(.price == $most)
    | {auction, price, bidder, dateTime}'
