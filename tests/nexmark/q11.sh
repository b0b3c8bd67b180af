# Query 11, user sessions: how many bids each bidder makes without a pause
# of more than ten seconds.
dp-window --time dateTime --delay 3s --session 10s --key bidder \
    --agg 'bid_count=count()' bid.ndjson |
dp-map '{bidder, bid_count, starttime: .window_start,
    endtime: .window_end}'
