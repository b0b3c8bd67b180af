# Files as C strings.  usage: LC_ALL=C awk -f embed.awk NAME=graph_page_html page.html NAME=graph_page_js 1.js 2.js
NAME != last { if (last != "") print "    ;"; printf "static const char %s[] =\n", NAME; last = NAME }
{
    gsub(/\\/, "&&")
    gsub(/"/, "\\\\&")
    gsub(/\?/, "\\?") # no trigraphs
    print "    \"" $0 "\\n\""
}
END { print "    ;" }
