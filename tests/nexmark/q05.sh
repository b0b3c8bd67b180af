# Query 5, hot items: which auctions have had the most bids in the last ten
# seconds, every two seconds.
dp-window --time dateTime --delay 3s --hop 10s,2s --key auction \
    --agg 'num=count()' bid.ndjson |
dp-window --time window_start --tumble 2s \
    --agg 'most=max(num),rows=collect()' |
dp-map '.most as $most | .rows[] | select(.num == $most)
    | {auction, num, window_start, window_end}'
