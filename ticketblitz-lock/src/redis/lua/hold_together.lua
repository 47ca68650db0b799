-- Usual holds of one event that waited together (see usual_hold.lua), judged one after the other in their order and with as
-- many calls as one alone needs. KEYS: as common.lua. ARGV: the time or '', ms to keep, how many holds, how many seats they
-- want, these as `s<seat>`; then a<attempt> and o<owner> of each hold; then of each: how many seats, limit or '', h<id>, ttl,
-- ceiling, and the end of its packed record: booking, owner, what is wanted, asked, attempt; then '1' if two want one seat.
-- Answers the time and of each hold its fence, or a list of its conflicts, each with place, letter of the state and time
-- left or -1, or 0: unusual, to be sent by itself.
local ARGV, call, format, pack, min = ARGV, redis.call, string.format, cmsgpack.pack, math.min
local LATEST, EXACT = 253402207199999999, '00009007199254000000'
local TAKEN, HOLDS, DUE = KEYS[1], KEYS[2], KEYS[3]
local count, names = tonumber(ARGV[3]), 4 + ARGV[4]
local parts = names + 2 * count

-- A seat has the same place in `found` and in ARGV.
local found = call('HMGET', TAKEN, 'f', 'v', 'x', 'c', unpack(ARGV, 5, names))
if not found[1] then return { 'NOTLOADED' } end
local mine = call('HMGET', HOLDS, unpack(ARGV, names + 1, parts))
local clock = call('TIME')
local now = tonumber(ARGV[1]) or clock[1] * 1000000 + clock[2]
local reserved
if found[4] then
  local fields = {}
  for at = 5, names do fields[at - 4] = 'r' .. ARGV[at]:sub(2) end
  reserved = call('HMGET', TAKEN, unpack(fields))
end

local real, keep, kept = clock[1] * 1000 + clock[2] / 1000, tonumber(ARGV[2]), tonumber(found[3])
-- Beyond that a number of Lua's is not exact.
local fence = found[1] < EXACT and kept >= real + keep * 0.75 and math.max(now, found[1] + 1)
local due
-- What those before have taken in this call.
local seats, attempts, units, won = ARGV[#ARGV] == '1' and {}, {}, {}, 0
local taken, fields, holds, ends = { 'f', '', 'v', '' }, 4, {}, {}
local ttl, most, till, ceiling, till_text, ceiling_text, till_packed, ceiling_packed

local function conflicts_of(first, last)
  local conflicts, lapsed
  for at = first, last do
    local value, kind, left = found[at] or seats and seats[ARGV[at]], nil, -1
    if reserved and reserved[at - 4] then
      kind = 82 -- R
    elseif value then
      local till = tonumber(value:sub(38))
      if till and till <= now then
        lapsed = true
      else
        kind, left = value:byte(), till and till - now or -1
      end
    end
    if kind then
      conflicts = conflicts or {}
      local size = #conflicts
      conflicts[size + 1], conflicts[size + 2], conflicts[size + 3] = at - first, kind, left
    end
  end
  return conflicts, lapsed
end

-- Where something is due the first goes the general way, which cleans up; the others need not wait for that.
local function cleans_up()
  if due == nil then due = call('ZRANGEBYSCORE', DUE, '-inf', format('%d', now), 'LIMIT', 0, 1)[1] or false end
  local first = due
  due = false
  return first
end

local function set_times(its_ttl, its_most)
  ttl, most = its_ttl, its_most
  till, ceiling = min(now + ttl, LATEST), min(now + most, LATEST)
  till_text, ceiling_text = format('%d', till), format('%d', ceiling)
  till_packed, ceiling_packed = pack(till), pack(ceiling)
end

local function hold(first, last, attempt, owner, part)
  local member, fence_text = ARGV[part + 2], format('%020d', fence)
  local id = member:sub(2)
  local value = 'H' .. id .. till_text
  for at = first, last do
    taken[fields + 1], taken[fields + 2] = ARGV[at], value
    fields = fields + 2
    if seats then seats[ARGV[at]] = value end
  end
  -- As cmsgpack packs a list of nine, its text `H` and one of twenty letters.
  local record = '\153\161H' .. till_packed .. '\180' .. fence_text .. ceiling_packed .. ARGV[part + 5]
  local size = 6 * won
  holds[size + 1], holds[size + 2], holds[size + 3] = member, record, attempt
  holds[size + 4], holds[size + 5], holds[size + 6] = id .. ceiling_text, owner, units[owner]
  ends[2 * won + 1], ends[2 * won + 2] = till_text, member
  attempts[attempt], taken[2] = true, fence_text
  won, fence = won + 1, fence + 1
  return fence - 1
end

local answers, first, part = { now }, 5, parts + 1
for n = 1, count do
  local attempt, owner, size, limit = ARGV[names + 2 * n - 1], ARGV[names + 2 * n], ARGV[part], ARGV[part + 1]
  local last, had, answer = first + size - 1, units[owner] or mine[2 * n], 0
  if not mine[2 * n - 1] and not attempts[attempt] and (limit == '' or (had or 0) + size <= tonumber(limit)) then
    local conflicts, lapsed = conflicts_of(first, last)
    if conflicts then
      answer = conflicts
    elseif fence and not lapsed and (due == false or not cleans_up()) then
      -- Most holds are for the same times.
      if ARGV[part + 3] ~= ttl or ARGV[part + 4] ~= most then set_times(ARGV[part + 3], ARGV[part + 4]) end
      if kept >= real + (ceiling - now) / 1000 + 3600000 then
        units[owner] = had and format('%d', had + size) or size
        answer = hold(first, last, attempt, owner, part)
      end
    end
  end
  answers[n + 1], first, part = answer, last + 1, part + 6
end
if won > 0 then
  taken[4] = format('%d', found[2] + won)
  call('HSET', TAKEN, unpack(taken))
  call('HSET', HOLDS, unpack(holds))
  call('ZADD', DUE, unpack(ends))
end
return answers
