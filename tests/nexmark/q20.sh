# Query 20, expand bid with auction: bids on auctions of one category.
dp-join --with auction.ndjson --on auction=id --prefix a_ \
    --take itemName,initialBid,reserve,dateTime,expires,seller,category \
    bid.ndjson |
dp-map --where '.a_category == 10' 'del(.extra)'
