# Query 3, local item suggestion: who sells in category 10 in three states.
dp-join --where '.category == 10' --with person.ndjson --on seller=id \
    --take name,city,state auction.ndjson |
dp-map --where '.state == "OR" or .state == "ID" or .state == "CA"' \
    '{name, city, state, id}'
