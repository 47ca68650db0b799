-- ARGV: the number up to which the stream has what lapsed, how many more to tell at most. Asking is looking.
if loaded and reclaim(BATCH) > 0 then finish() end
while true do
  local first = call('LINDEX', LAPSED, 0)
  if not first or tonumber(first:match('^%d+')) > tonumber(ARGV[3]) then break end
  call('LPOP', LAPSED)
end
local found = call('LRANGE', LAPSED, 0, ARGV[4] - 1)
return { loaded and 'LOADED' or 'GONE', found }
