# Query 17, auction statistics: bids and prices of each auction and day.
dp-map '.rank = if .price < 10000 then 1 elif .price < 1000000 then 2
    else 3 end' bid.ndjson |
dp-window --time dateTime --delay 3s --calendar day --timezone UTC \
    --key auction --agg 'total_bids=count()' \
    --agg 'rank1_bids=count() where .rank == 1' \
    --agg 'rank2_bids=count() where .rank == 2' \
    --agg 'rank3_bids=count() where .rank == 3' \
    --agg 'min_price=min(price),max_price=max(price)' \
    --agg 'avg_price=mean(price),sum_price=sum(price)' |
dp-map '.day = .window_start[0:10] | del(.window_start, .window_end)'
