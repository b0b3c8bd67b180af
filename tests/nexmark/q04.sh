# Query 4, average price for a category: the mean of the highest bids that
# auctions got while they were open.  5200 weeks are one window for all.
dp-join --with auction.ndjson --on auction=id \
    --take category,dateTime,expires --prefix a_ bid.ndjson |
dp-window --where '.dateTime >= .a_dateTime and .dateTime <= .a_expires' \
    --time dateTime --tumble 5200w --key auction,category=a_category \
    --agg 'final=max(price)' |
dp-window --time window_start --tumble 5200w --key category \
    --agg 'avg=mean(final)' |
dp-map '{category, avg}'
