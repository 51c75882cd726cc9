#!/bin/sh
# Vedette from a shell: a session over the demo source, what it sees, a snapshot, and that looked at again. Only curl and
# python3 are needed; where websocat is installed, it is used for a WebSocket.
#
#   make run                                                    in one terminal
#   sh examples/rest.sh                                         in another
#   sh examples/rest.sh http://127.0.0.1:9000                   another server
#   VEDETTE_TOKEN=… sh examples/rest.sh https://camera.lan      where one is needed
set -eu
server=${1:-http://127.0.0.1:8000}
folder=$(mktemp -d)
session='' source=''

call() { curl --silent --show-error --fail-with-body ${VEDETTE_TOKEN:+--oauth2-bearer "$VEDETTE_TOKEN"} "$@"; }
post() { call -X POST "$server$1" -H 'Content-Type: application/json' -d "$2"; }
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
pretty() { python3 -m json.tool --no-ensure-ascii; }
title() { printf '\n== %s\n' "$1"; }

# Whatever happens, the session ends and nothing of it is left.
leave() {
    test -z "$session" || call -X DELETE "$server/sessions/$session?artifacts=true"
    test -z "$source" || call -X DELETE "$server/sources/$source"
    rm -r "$folder"
}
trap leave EXIT

title 'the detector that runs'
call "$server/health" | field detector

title 'a session over the demo source'
source=$(post /sources '{"kind": "demo", "name": "rest.sh"}' | field sourceId)
session=$(post /sessions "{\"sourceId\": \"$source\", \"pipelines\": [\"vision\"], \"profile\": \"accurate\"}" | field sessionId)
call "$server/sessions/$session" | pretty

title 'the first objects that it has seen'
page='{"events": []}'
tries=0
while test "$(printf '%s' "$page" | field events)" = '[]'; do
    test "$tries" -lt 120 || { echo 'nothing was seen within a minute' >&2; exit 1; }
    tries=$((tries + 1))
    sleep 0.5
    page=$(call "$server/sessions/$session/events?kind=object&limit=2")
done
printf '%s' "$page" | pretty

title 'what comes after them: pages by cursor'
call "$server/sessions/$session/events?kind=object&limit=2&after=$(printf '%s' "$page" | field next)" | pretty

if command -v websocat > /dev/null; then
    title 'the same over a WebSocket: what was, then what comes'
    stream=$(printf '%s' "$server" | sed 's/^http/ws/')
    websocat --no-close --protocol vedette.v1 ${VEDETTE_TOKEN:+-H "Authorization: Bearer $VEDETTE_TOKEN"} \
        "$stream/ws/stream?sessionId=$session&kinds=object" < /dev/null 2> /dev/null | head -n 3
fi

title 'a snapshot'
url=$(post "/sessions/$session/snapshot" '{"annotated": false}' | field url)
call -o "$folder/snapshot.jpg" "$server$url"
ls -l "$folder/snapshot.jpg"

title 'the same picture, looked at by itself'
call "$server/analyze/frame?confidence=0.3" -H 'Content-Type: image/jpeg' --data-binary "@$folder/snapshot.jpg" | pretty

title 'as a form, with the boxes drawn on the answer'
call "$server/analyze/frame" -F "file=@$folder/snapshot.jpg" -F classes=person -H 'Accept: image/jpeg' -o "$folder/drawn.jpg"
ls -l "$folder/drawn.jpg"

title 'an error says what is wrong'
curl --silent "$server/analyze/frame" ${VEDETTE_TOKEN:+--oauth2-bearer "$VEDETTE_TOKEN"} --data-binary 'no picture' | pretty
