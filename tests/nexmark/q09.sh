# Query 9, winning bids: of each auction the highest bid while it was open,
# the first of equal ones.
dp-join --with auction.ndjson --on auction=id --prefix a_ bid.ndjson |
dp-dedupe --where '.dateTime >= .a_dateTime and .dateTime <= .a_expires' \
    --key auction,price --keep min:dateTime |
dp-dedupe --key auction --keep max:price |
dp-map '{id: .auction, itemName: .a_itemName, initialBid: .a_initialBid,
    reserve: .a_reserve, dateTime: .a_dateTime, expires: .a_expires,
    seller: .a_seller, category: .a_category, bidder, price,
    bid_dateTime: .dateTime, bid_extra: .extra}'
