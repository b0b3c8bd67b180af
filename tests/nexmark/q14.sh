# Query 14, calculation: the time of day of large bids, and how many letters
# c they have.
dp-map '.price *= 0.908 | select(.price > 1000000 and .price < 50000000)
    | (.dateTime[11:13] | tonumber) as $hour
    | {auction, bidder, price, dateTime, extra,
       c_counts: (.extra | split("c") | length - 1),
       bidTimeType: (if $hour >= 8 and $hour <= 18 then "dayTime"
           elif $hour <= 6 or $hour >= 20 then "nightTime"
           else "otherTime" end)}' bid.ndjson
