# Query 21, add channel id: of four channels a number, of others what their
# address says.
dp-map '(.channel | ascii_downcase) as $c
    | (.url | split("channel_id=")[1]) as $rest
    | (if $c == "apple" then "0" elif $c == "google" then "1"
       elif $c == "facebook" then "2" elif $c == "baidu" then "3"
       elif $rest == null then null else ($rest | split("&")[0]) end)
      as $id
    | select($id != null)
    | {auction, bidder, price, channel, channel_id: $id}' bid.ndjson
