"""The page of a lineage graph in a real browser, without a network: 10,000 nodes within 2 s, search, filters, details, following, keys, the address, hostile names.

usage: GRAPH_PAGE=PROGRAM page.py [FOLDER FOR PICTURES]
"""
import os
import subprocess
import sys
import tempfile
import time
from urllib.parse import quote

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

import tap

tap.prefix = "page: "
MAKE = os.environ["GRAPH_PAGE"]
OUT = sys.argv[1] if len(sys.argv) > 1 else None


def page_of(folder, name, *words):
    path = os.path.join(folder, name)
    with open(path, "wb") as f:
        subprocess.run([MAKE, *map(str, words)], stdout=f, check=True)
    return "file://" + path


def key(kind, ns, name, column=None):
    k = "%s:%s:%s" % (kind, quote(ns, safe=""), quote(name, safe=""))
    return k + ("#" + quote(column, safe="") if column else "")


class Page:
    def __init__(self, driver):
        self.d = driver

    def open(self, url):
        self.d.get("about:blank")
        self.d.get(url)
        self.wait("window.dpGraph !== undefined")
        return self

    def js(self, words, *args):
        return self.d.execute_script("return " + words, *args)

    def wait(self, words, *args):
        return WebDriverWait(self.d, 60, poll_frequency=0.05).until(lambda d: self.js(words, *args))

    def settle(self):
        """Until the picture stands still."""
        last = None
        while True:
            now = self.js("JSON.stringify([dpGraph.camera, location.hash])")
            if now == last:
                return
            last = now
            time.sleep(0.45)

    def one(self, css):
        return self.d.find_element(By.CSS_SELECTOR, css)

    def text(self, css):
        return self.one(css).text

    def press(self, *keys):
        ActionChains(self.d).send_keys(*keys).perform()

    def click_at(self, place):
        body = self.one("body").rect
        ActionChains(self.d).move_to_element_with_offset(self.one("body"), int(place["x"] - body["width"] / 2), int(place["y"] - body["height"] / 2)).click().perform()

    def shot(self, name):
        if OUT:
            self.d.save_screenshot(os.path.join(OUT, name + ".png"))


def browser():
    o = webdriver.ChromeOptions()
    for a in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1400,900", "--hide-scrollbars",
              "--host-resolver-rules=MAP * ~NOTFOUND", "--disable-background-networking"):
        o.add_argument(a)
    for name in ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"):
        if os.path.exists(name):
            o.binary_location = name
            break
    o.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path="/usr/bin/chromedriver")
    return webdriver.Chrome(options=o, service=service)


def colours_of(p):
    return p.js("""(() => { const c = document.getElementById('c'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, s = new Set();
        for (let i = 0; i < d.length; i += 4 * 7) s.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]); return s.size; })()""")


def large(p, folder):
    url = page_of(folder, "large.html", 2600, 2600, 2, 8)
    best = 1e9
    for _ in range(3):  # the best of three: the machine may be busy
        p.open(url)
        best = min(best, p.js("dpGraph.ready"))
    n = p.js("dpGraph.nodes")
    tap.ok(n >= 10000, "it has 10,000 nodes", n)
    tap.ok(best < 2000, "it is there within 2 s (%d ms for %d nodes)" % (best, n), best)
    tap.ok(colours_of(p) > 20, "its picture is not blank", colours_of(p))
    p.shot("large")
    slow = p.js("""(() => { const t = performance.now(); for (let i = 0; i < 5; i++) paint(pen, camera, size.w, size.h, size.dpr, look()); return (performance.now() - t) / 5; })()""")
    tap.ok(slow < 500, "a whole picture takes less than 500 ms (%d)" % slow, slow)
    p.one("#q").send_keys("orders_1600")
    p.wait("document.querySelectorAll('#hits [role=option]').length > 0")
    tap.ok("orders_1600" in p.text("#hits li"), "search finds a dataset", p.text("#hits"))
    p.one("#q").send_keys(Keys.ENTER)
    p.wait("document.getElementById('details-h') && document.getElementById('details-h').textContent === 'orders_1600'")
    p.settle()
    tap.ok(p.js("dpGraph.camera.z >= 0.4"), "choosing it brings it near")
    p.shot("large-chosen")
    p.press("f")
    p.wait("dpGraph.state.only")
    p.settle()
    tap.ok(1 < p.js("dpGraph.shown()") < p.js("dpGraph.drawn"), "its lineage alone can be shown", p.js("dpGraph.shown()"))
    p.shot("large-only")
    p.press(Keys.ESCAPE)
    p.press("c")
    p.wait("dpGraph.state.columns")
    p.settle()
    tap.ok(p.js("dpGraph.threads().length") > 1000, "all columns can be shown at once")


def middle(p, folder):
    url = page_of(folder, "middle.html", 60, 60, 12, 3)
    src = key("dataset", "file", "/lake/silver/events_11")
    p.open(url)
    p.shot("middle")
    place = p.js("dpGraph.place(arguments[0])", src)
    if tap.ok(place is not None, "a card has its place", p.js("[...byKey.keys()].slice(0, 20)")):
        p.click_at(place)
    p.wait("dpGraph.state.chosen >= 0")
    details = p.text("#details")
    tap.ok("events_11" in details and "silver" in details, "a click on a card tells of it", details)
    tap.ok("restricted" in details and "DATAOWNER" in details, "classification and owners are told", details)
    tap.ok("COLUMNS" in details.upper() and "decimal(12,2)" in details, "so is the schema", details)
    tap.ok("LAST RUNS" in details.upper() and "complete" in details, "so are the last runs", details)
    p.shot("details")
    t = p.js("[dpGraph.trace().up, dpGraph.trace().down]")
    model = p.js("""((id) => { const go = (id, down) => { const s = new Set(), q = [id]; while (q.length) { const v = q.pop();
        for (const f of flows) { const a = down ? f.src : f.dst, b = down ? f.dst : f.src; if (a === v && b >= 0 && b !== id && !s.has(b)) { s.add(b); q.push(b); } } } return s.size; };
        return [go(id, false), go(id, true)]; })(dpGraph.state.chosen)""")
    tap.ok(t == model and t[1] > 0, "upstream and downstream are all that flows reach", t, model)
    p.one("#details [data-dir=down]").click()
    p.wait("dpGraph.state.dir === 'down'")
    tap.ok(p.js("[...dpGraph.trace().far.values()].every(d => d >= 0)"), "following down leaves out what is up")
    p.shot("down")
    p.d.back()
    p.wait("dpGraph.state.dir === 'both'")
    tap.ok(p.js("dpGraph.state.chosen >= 0"), "the back button goes back one step")
    column = p.d.find_elements(By.XPATH, "//aside[@id='details']//button[.//span[@class='name' and text()='email']]")
    column[0].click()
    p.wait("dpGraph.trace().onThreads")
    p.settle()
    styles = set(p.js("dpGraph.threads()"))
    tap.ok({"direct", "masked"} & styles and p.js("dpGraph.shown()") > 1, "a column's lineage is drawn by columns", styles)
    p.shot("column")
    p.js("choose(nodeOfKey(arguments[0]), true)", src + "#created_at")
    p.settle()
    styles = set(p.js("dpGraph.threads()"))
    tap.ok("direct" in styles and "indirect" in styles, "direct and indirect are told apart", styles)
    p.shot("column-indirect")
    link = p.d.current_url
    p.open(link)
    p.settle()
    tap.ok(p.js("dpGraph.trace() && dpGraph.trace().onThreads") and p.text("#details-h") == "created_at", "a link opens the same view", link)
    p.open(url)
    p.one("#b-filter").click()
    p.wait("document.querySelector('#filters input')")
    box = p.d.find_elements(By.XPATH, "//aside[@id='filters']//label[.//span[text()='zone=gold']]/input")
    box[0].click()
    p.one("#f-hide").click()
    p.wait("dpGraph.state.hide")
    p.settle()
    tap.ok(0 < p.js("dpGraph.shown()") < p.js("dpGraph.drawn") and p.js("scene.cards.every(i => nodes[i].allTags.has('zone=gold'))"), "a filter leaves what matches", p.js("dpGraph.shown()"))
    p.shot("filter")
    p.one("#f-job").click()
    p.wait("!dpGraph.state.jobs")
    tap.ok(p.js("scene.edges.length > 0 || scene.cards.length > 0"), "jobs can be left out")
    p.js("clearFilters()")
    p.one("#f-job").click()
    p.wait("!dpGraph.state.jobs")
    tap.ok(p.js("scene.cards.every(i => nodes[i].kind === 0) && scene.edges.length > 10"), "without jobs datasets are joined at once")
    p.open(url)
    p.js("(document.getElementById('c').focus(), 1)")
    p.press(Keys.ARROW_RIGHT)
    p.wait("dpGraph.state.chosen >= 0")
    before = p.js("dpGraph.state.chosen")
    p.press(Keys.ARROW_RIGHT if p.js("dpGraph.trace().down > 0") else Keys.ARROW_LEFT)
    p.wait("dpGraph.state.chosen !== arguments[0]", before)
    tap.ok(True, "arrow keys go from card to card")
    p.press("l")
    p.wait("dpGraph.state.list")
    tap.ok(len(p.d.find_elements(By.CSS_SELECTOR, "#list tbody tr")) == p.js("dpGraph.drawn"), "the list has every node")
    p.shot("list")
    unnamed = p.js("[...document.querySelectorAll('button, input, canvas[tabindex]')].filter(e => !(e.textContent.trim() || e.getAttribute('aria-label') || e.title || e.closest('label'))).map(e => e.outerHTML)")
    tap.ok(not unnamed, "every control has a name", unnamed)
    p.press("l")
    before = p.js("dpGraph.camera.z")
    p.press("+")
    p.wait("dpGraph.camera.z > arguments[0]", before)
    tap.ok(True, "keys zoom")
    p.one("#b-theme").click()
    p.shot("dark")
    tap.ok(p.js("document.documentElement.dataset.theme") in ("dark", "light") and p.js("getComputedStyle(document.body).backgroundColor") == "rgb(14, 17, 23)", "it can be dark")
    p.one("#b-theme").click()
    p.d.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 390, "height": 780, "deviceScaleFactor": 2, "mobile": True})
    p.open(url + "#n=" + quote(src, safe=""))
    p.settle()
    p.shot("phone")
    tap.ok(p.js("document.documentElement.scrollWidth <= innerWidth"), "a small screen is enough", p.js("[document.documentElement.scrollWidth, innerWidth]"))
    p.d.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    p.open(url)
    pdf = p.d.execute_cdp_cmd("Page.printToPDF", {"landscape": True, "printBackground": True})["data"]
    tap.ok(len(pdf) > 10000, "it can be printed")


def hostile(p, folder):
    p.open(page_of(folder, "hostile.html", 12, 12, 4, 2, "hostile"))
    bad = p.js("nodes.findIndex(n => n.name.startsWith('</script>'))")
    tap.ok(bad >= 0, "a hostile name is there, whole")
    for act in ("choose(arguments[0], true)", "choose(nodes[arguments[0]].columns[0], true)", "go({panel: true, list: true})", "go({list: false})"):
        p.js("(" + act + ", 1)", bad)
    p.one("#q").send_keys("onerror")
    p.wait("document.querySelectorAll('#hits [role=option]').length > 0")
    tap.ok(p.js("document.documentElement.dataset.pwned === undefined && !document.querySelector('img, b script, main script')"), "it does nothing but stand there")
    p.shot("hostile")
    p.js("(() => { const s = document.createElement('script'); s.textContent = 'document.documentElement.dataset.pwned = 1'; document.body.append(s); document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.documentElement.dataset.pwned=1\">'); return 1; })()")
    time.sleep(0.2)
    tap.ok(p.js("document.documentElement.dataset.pwned === undefined"), "and what got in would not run: the policy stands")


def main():
    d = browser()
    p = Page(d)
    try:
        with tempfile.TemporaryDirectory() as folder:
            large(p, folder)
            middle(p, folder)
            severe = [e["message"] for e in d.get_log("browser") if e["level"] == "SEVERE"]
            tap.ok(not severe, "nothing is wrong in the browser's log", *severe)
            asked = [e for e in d.get_log("performance") if '"Network.requestWillBeSent"' in e["message"] and '"url":"http' in e["message"]]
            tap.ok(not asked, "it asked nobody for anything", *asked)
            hostile(p, folder)
    finally:
        d.quit()
    tap.done()


main()
