# Query 19, auction top 10: the ten highest bids of each auction, with their
# places.
dp-window --time dateTime --tumble 5200w --key auction \
    --agg 'bids=collect()' bid.ndjson |
dp-map '.bids | sort_by(-.price, .dateTime) | .[0:10] | to_entries[]
    | .value + {rank_number: (.key + 1)}'
