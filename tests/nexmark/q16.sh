# Query 16, channel statistics: the same of each channel and day, with the
# last minute in which there was a bid.
dp-map '.rank = if .price < 10000 then 1 elif .price < 1000000 then 2
    else 3 end | .minute = .dateTime[11:16]' bid.ndjson |
dp-window --time dateTime --delay 3s --calendar day --timezone UTC \
    --key channel --agg 'minute=max(minute)' \
    --agg 'total_bids=count(),total_bidders=distinct(bidder)' \
    --agg 'total_auctions=distinct(auction)' \
    --agg 'rank1_bids=count() where .rank == 1' \
    --agg 'rank2_bids=count() where .rank == 2' \
    --agg 'rank3_bids=count() where .rank == 3' \
    --agg 'rank1_bidders=distinct(bidder) where .rank == 1' \
    --agg 'rank2_bidders=distinct(bidder) where .rank == 2' \
    --agg 'rank3_bidders=distinct(bidder) where .rank == 3' \
    --agg 'rank1_auctions=distinct(auction) where .rank == 1' \
    --agg 'rank2_auctions=distinct(auction) where .rank == 2' \
    --agg 'rank3_auctions=distinct(auction) where .rank == 3' |
dp-map '.day = .window_start[0:10] | del(.window_start, .window_end)'
