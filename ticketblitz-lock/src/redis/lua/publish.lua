-- Puts what lapsed into the stream, each once, and reads it. KEYS: as look.lua. ARGV: ms to keep, the moment of looking,
-- cursor or '', how many holds at most, how many events are gone, these, then event and `number:record` of each hold.
local EVENTS, STREAM, NUMBERS, KEEP = KEYS[1], KEYS[2], KEYS[3], 65536
local call = redis.call

local function number(n) return string.format('%.0f', n) end

-- The number of the stream's first hold. From the time on: a cursor from before the server lost the stream is seen to be
-- old instead of being taken for a place in this one.
local clock = call('TIME')
local first = tonumber(call('HGET', NUMBERS, 'first')) or clock[1] * 1000000 + clock[2]

for at = 6, 5 + ARGV[5] do
  -- Unless it was loaded again since.
  if tonumber(call('ZSCORE', EVENTS, ARGV[at])) == tonumber(ARGV[2]) then
    call('ZREM', EVENTS, ARGV[at])
    call('HDEL', NUMBERS, ARGV[at])
  end
end
for at = 6 + ARGV[5], #ARGV, 2 do
  local event, entry = ARGV[at], ARGV[at + 1]
  local its_number, record = entry:match('^(%d+):(.*)$')
  -- Whoever looked at the same moment has told it.
  if tonumber(its_number) > tonumber(call('HGET', NUMBERS, event) or 0) then
    call('HSET', NUMBERS, event, its_number)
    if record == '' then
      -- The event had more than it keeps: every cursor has missed something.
      first = first + call('LLEN', STREAM) + 1
      call('DEL', STREAM)
    else
      call('RPUSH', STREAM, cmsgpack.pack({ event, record }))
    end
  end
end
local excess = call('LLEN', STREAM) - KEEP
if excess > 0 then
  call('LTRIM', STREAM, excess, -1)
  first = first + excess
end
call('HSET', NUMBERS, 'first', number(first))
call('PEXPIRE', STREAM, ARGV[1])
call('PEXPIRE', NUMBERS, ARGV[1])

-- A cursor is the number of the last hold seen.
local from, missed = first, 0
if ARGV[3] ~= '' then
  local wanted = tonumber(ARGV[3]) + 1
  if wanted >= first and wanted <= first + call('LLEN', STREAM) then from = wanted else missed = 1 end
end
local skip = from - first
local found = call('LRANGE', STREAM, skip, skip + ARGV[4] - 1)
if ARGV[4] == '0' then found = {} end
local next = ARGV[3]
if #found > 0 or missed == 1 then next = number(from + #found - 1) end
local holds = {}
for at, entry in ipairs(found) do
  local event, record = unpack(cmsgpack.unpack(entry))
  local id, phase, till, fence, ceiling, owner, want = unpack(cmsgpack.unpack(record))
  holds[at] = { event, id, phase, number(till), fence, number(ceiling), owner, want }
end
return { missed, next, holds }
