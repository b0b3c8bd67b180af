# Query 8, monitor new users: people who have opened auctions in the same
# ten seconds in which they came.
dp-map 'if has("seller") then {id: .seller, dateTime, auction: .id}
    else {id, dateTime, name} end' person.ndjson auction.ndjson |
dp-window --time dateTime --tumble 10s --key id \
    --agg 'name=first(name),auctions=count(auction)' |
dp-map --where '.name != null and .auctions > 0' \
    '{id, name, starttime: .window_start}'
