# Query 6, average selling price by seller: with each auction that closes
# the mean of its price and of those of the seller's nine before it.
dp-join --with auction.ndjson --on auction=id \
    --take seller,dateTime,expires --prefix a_ bid.ndjson |
dp-map --where '.dateTime >= .a_dateTime and .dateTime <= .a_expires' \
    '{auction, seller: .a_seller, price, closed: .a_expires}' |
dp-window --time closed --tumble 5200w --key auction,seller \
    --agg 'final=max(price),at=max(closed)' |
dp-window --time at --tumble 5200w --key seller --agg 'sales=collect()' |
dp-map '.seller as $seller | .sales | sort_by(.at, .auction) | . as $s
    | range(0; length) as $i
    | $s[(if $i > 9 then $i - 9 else 0 end):$i + 1] as $ten
    | {seller: $seller, auction: $s[$i].auction, closed: $s[$i].at,
       avg: ($ten | map(.final) | add / length)}'
