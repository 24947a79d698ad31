# What jq defines and jaq does not, or defines otherwise. Later definitions hide earlier ones.
def null: [][0];
def error(f): f | error;
def values: select(. != null);
def nulls: select(. == null);
def booleans: select(type == "boolean");
def numbers: select(type == "number");
def strings: select(type == "string");
def arrays: select(type == "array");
def objects: select(type == "object");
def iterables: select(type == "array" or type == "object");
def scalars: select(type != "array" and type != "object");
def normals: select(isnormal);
def isfinite: type == "number" and (isinfinite | not);
def finites: select(isfinite);
def abs: if . < 0 then - . else . end;
def in(xs): . as $key | xs | has($key);
def inside(xs): . as $part | xs | contains($part);
def map_values(f): .[] |= f;
def del(f): delpaths([path(f)]);
def to_entries: [keys_unsorted[] as $key | {key: $key, value: .[$key]}];
def from_entries:
  map({(.key // .Key // .name // .Name): (if has("value") then .value else .Value end)}) | add // {};
def with_entries(f): to_entries | map(f) | from_entries;
def recurse(f; cond): def rec: ., (f | select(cond) | rec); rec;
def range($n): range(0; $n);
def sort_by(f): _sort_by(map([f]));
def group_by(f): _group_by(map([f]));
def unique_by(f): group_by(f) | map(.[0]);
def unique: unique_by(.);
def min_by(f): _min_by(map([f]));
def max_by(f): _max_by(map([f]));
def min: min_by(.);
def max: max_by(.);
def index($x): indices($x) | .[0];
def rindex($x): indices($x) | .[-1:][0];
def _flatten($depth):
  reduce .[] as $x ([]; if ($x | type) == "array" and $depth != 0 then . + ($x | _flatten($depth - 1)) else . + [$x] end);
def flatten($depth): if $depth < 0 then error("flatten depth must not be negative") else _flatten($depth) end;
def flatten: _flatten(-1);
def first: .[0];
def last: .[-1];
def last(f): reduce f as $x (null; $x);
def nth($n): .[$n];
def nth($n; f): if $n < 0 then error("nth doesn't support negative indices") else first(_skip($n; f)) end;
def limit($n; f): if $n > 0 then _limit($n; f) elif $n == 0 then empty else f end;
def paths: path(..) | select(length > 0);
def paths(f): path(.. | select(f)) | select(length > 0);
def getpath($path): reduce ($path | _bounded)[] as $p (.; .[$p]);
def pick(f): . as $whole | reduce path(f) as $p (null; setpath($p; $whole | getpath($p)));
def walk(f): def rec: (if type == "object" then map_values(rec) elif type == "array" then map(rec) else . end) | f; rec;
def transpose: [range(0; map(length) | max // 0) as $at | [.[][$at]]];
def combinations: if length == 0 then [] else .[0][] as $x | (.[1:] | combinations) as $rest | [$x] + $rest end;
def combinations(n): . as $all | [range(n) | $all] | combinations;
def todate: strftime("%Y-%m-%dT%H:%M:%SZ");
def todateiso8601: todate;
def fromdateiso8601: strptime("%Y-%m-%dT%H:%M:%SZ") | mktime;
def fromdate: fromdateiso8601;
def match($re; $flags): _matches($re; $flags; false)[];
def match($re):
  if ($re | type) == "string" then match($re; null)
  elif ($re | type) == "array" and ($re | length) > 1 then match($re[0]; $re[1])
  elif ($re | type) == "array" and ($re | length) > 0 then match($re[0]; null)
  else error(($re | type) + " not a string or array") end;
def test($re; $flags): _matches($re; $flags; true);
def test($re):
  if ($re | type) == "string" then test($re; null)
  elif ($re | type) == "array" and ($re | length) > 1 then test($re[0]; $re[1])
  elif ($re | type) == "array" and ($re | length) > 0 then test($re[0]; null)
  else error(($re | type) + " not a string or array") end;
def _named: [.captures[] | select(.name != null) | {(.name): .string}] | add // {};
def capture($re; $flags): match($re; $flags) | _named;
def capture($re): match($re) | _named;
def scan($re; $flags): match($re; "g" + $flags) | if (.captures | length) > 0 then [.captures[].string] else .string end;
def scan($re): scan($re; null);
def splits($re; $flags):
  _between([match($re; "g" + $flags)])[];
def splits($re): splits($re; null);
def split($re; $flags): [splits($re; $flags)];
def sub($re; f; $flags):
  . as $s
  | [match($re; $flags)] as $all
  | _between($all) as $gaps
  | [$all[] | [_named | f]] as $new
  | (range(0; $new | map(length) | max // 0) as $i
    | [(range(0; $all | length) as $at | select($new[$at] | length > $i) | $gaps[$at] + $new[$at][$i]), $gaps[-1]]
    | add) // $s;
def sub($re; f): sub($re; f; "");
def gsub($re; f; $flags): sub($re; f; $flags + "g");
def gsub($re; f): sub($re; f; "g");
def debug(f): (f | debug | empty), .;
def halt_error: halt_error(5);
def tostream: path(def rec: (.[]? | rec), .; rec) as $p | getpath($p) | reduce path(.[]?) as $q ([$p, .]; [$p + $q]);
def fromstream(f):
  {x: null, e: false} as $start
  | foreach f as $i ($start;
      (if .e then $start else . end)
      | if ($i | length) == 2 then setpath(["e"]; ($i[0] | length) == 0) | setpath(["x"] + $i[0]; $i[1])
        else setpath(["e"]; ($i[0] | length) == 1) end;
      if .e then .x else empty end);
def truncate_stream(f): . as $n | null | f | . as $i | if (.[0] | length) > $n then setpath([0]; $i[0][$n:]) else empty end;
def INDEX(stream; f): reduce stream as $row ({}; .[$row | f | tostring] |= $row);
def INDEX(f): INDEX(.[]; f);
def JOIN($index; f): [.[] | [., $index[f]]];
def JOIN($index; stream; f): stream | [., $index[f]];
def JOIN($index; stream; f; join): stream | [., $index[f]] | join;
def IN(s): any(s == .; .);
def IN(source; s): any(source == s; .);
def pow10: pow(10; .);
