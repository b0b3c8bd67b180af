#!/usr/bin/env python3
"""Events of an auction house, as the Nexmark benchmark makes them: of each 50 one person, three auctions, 46 bids; half of the bids go to the auction that is hot,
three quarters of bids and auctions come from people who are.  The same arguments give the same bytes.

usage: gen.py DIR [--events N] [--rate PER-SECOND] [--seed N] [--extra BYTES]
Writes DIR/person.ndjson, auction.ndjson, bid.ndjson, each in the order in which a reader would get them: one event in ten is up to three seconds late; and
DIR/side.csv, the side input of query 13.
"""
import argparse
import json
import random
from datetime import datetime, timedelta, timezone

FIRST_ID, FIRST_CATEGORY, CATEGORIES, IN_FLIGHT, ACTIVE = 1000, 10, 5, 100, 1000
BASE = datetime(2026, 3, 1, 23, 59, 0, tzinfo=timezone.utc)  # midnight is a minute away: two days
STATES = "AZ CA ID OR WA WY".split()
CITIES = "Phoenix;Los Angeles;San Francisco;Boise;Portland;Bend;Redmond;Seattle;Kent;Cheyenne".split(";")
FIRST = "Peter Paul Luke John Saul Vicky Kate Julie Sarah Deiter Walter".split()
LAST = "Shultz Abrams Spencer White Bartels Walton Smith Jones Noris".split()
HOT = ["Google", "Facebook", "Baidu", "Apple"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def time_of(ms):
    return (BASE + timedelta(milliseconds=ms)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


class Maker:
    def __init__(self, o):
        self.o, self.r = o, random.Random(o.seed)

    def word(self, n):
        return "".join(self.r.choice(LETTERS) for _ in range(n))

    def price(self):
        return round(10 ** (6 * self.r.random()) * 100)

    @staticmethod
    def people(number):
        return number // 50 + 1

    @staticmethod
    def auctions(number):
        return number // 50 * 3 + min(max(number % 50, 1), 3)

    def some_person(self, number):
        n = self.people(number)
        if self.r.randrange(4) > 0:
            return FIRST_ID + (n - 1) // 4 * 4  # the one that is hot now
        return FIRST_ID + n - 1 - self.r.randrange(min(n, ACTIVE))

    def some_auction(self, number):
        n = self.auctions(number)
        if self.r.randrange(2) > 0:
            return FIRST_ID + (n - 1) // 20 * 20
        return FIRST_ID + n - 1 - self.r.randrange(min(n, IN_FLIGHT))

    def person(self, number, ms):
        name = self.r.choice(FIRST) + " " + self.r.choice(LAST)
        return {"id": FIRST_ID + self.people(number) - 1, "name": name, "emailAddress": "%s@%s.com" % (self.word(7), self.word(5)),
                "creditCard": " ".join("%04d" % self.r.randrange(10000) for _ in range(4)), "city": self.r.choice(CITIES), "state": self.r.choice(STATES),
                "dateTime": time_of(ms), "extra": self.word(self.o.extra)}

    def auction(self, number, ms):
        start = self.price()
        horizon = IN_FLIGHT * 50 // 3 * 1000 // self.o.rate
        return {"id": FIRST_ID + self.auctions(number) - 1, "itemName": self.word(10), "description": self.word(20), "initialBid": start, "reserve": start + self.price(),
                "dateTime": time_of(ms), "expires": time_of(ms + 1 + self.r.randrange(2 * horizon)), "seller": self.some_person(number),
                "category": FIRST_CATEGORY + self.r.randrange(CATEGORIES), "extra": self.word(self.o.extra)}

    def bid(self, number, ms):
        channel = self.r.choice(HOT) if self.r.randrange(2) else "channel-%d" % self.r.randrange(10000)
        url = "https://www.nexmark.com/%s/%s/%s/item.htm?query=1" % (self.word(5), self.word(5), self.word(5))
        if channel not in HOT and self.r.randrange(10):
            url += "&channel_id=%d" % self.r.randrange(1 << 31)
        return {"auction": self.some_auction(number), "bidder": self.some_person(number), "price": self.price(), "channel": channel, "url": url,
                "dateTime": time_of(ms), "extra": self.word(self.o.extra)}

    def run(self):
        out = {"person": [], "auction": [], "bid": []}
        for number in range(self.o.events):
            ms = number * 1000 // self.o.rate
            kind = "person" if number % 50 == 0 else "auction" if number % 50 <= 3 else "bid"
            event = getattr(self, kind)(number, ms)
            late = self.r.randrange(3000) if self.r.randrange(10) == 0 else 0
            out[kind].append((ms + late, number, event))
        for kind, events in out.items():
            with open("%s/%s.ndjson" % (self.o.dir, kind), "w", encoding="utf-8") as f:
                for _, _, event in sorted(events, key=lambda e: e[:2]):
                    f.write(json.dumps(event, separators=(",", ":")) + "\n")
        with open(self.o.dir + "/side.csv", "w", encoding="utf-8") as f:
            f.write("key,value\n" + "".join("%d,%s\n" % (k, "side-%d" % (k * 7919 % 1009)) for k in range(0, 10000, 3)))


p = argparse.ArgumentParser()
p.add_argument("dir")
p.add_argument("--events", type=int, default=20000)
p.add_argument("--rate", type=int, default=200)
p.add_argument("--seed", type=int, default=1)
p.add_argument("--extra", type=int, default=20)
Maker(p.parse_args()).run()
