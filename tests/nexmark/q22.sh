# Query 22, get URL directories: the first three of the address.
dp-map '(.url | split("/")) as $d
    | {auction, bidder, price, channel, dir1: $d[3], dir2: $d[4],
       dir3: $d[5]}' bid.ndjson
