# Query 1, currency conversion: prices in euros, exactly.
dp-map '{auction, bidder, price: (.price * 0.908), dateTime, extra}' \
    bid.ndjson
