-- ARGV: fence floor, how many areas, section and capacity of each, the channels as they are kept, how many fields for
-- reserved seats, these as seat and channel, then of each entry: hold or '', an id if it has none, booking or '', owner,
-- what is wanted, P or S, until, fence.
if loaded then
  -- Only then is every seat that is taken really so.
  if not reclaim_all() then return { 'MORE' } end
else
  -- Fences and versions go on from where unloading left them.
  local left = call('HMGET', LEFT, 'f', 'v')
  fence = left[1] or string.rep('0', 20)
  version = math.max(now, tonumber(left[2] or 0))
  call('HSET', HOLDS, '~', '')
  call('ZADD', DUE, '+inf', '~')
end
local latest = now
local at = 3

local function take()
  at = at + 1
  return ARGV[at - 1]
end

local function raise(to) if to > fence then fence = to end end

local function add(id, record)
  take_free(id, record)
  count_units(record, 1)
  count_owner(record, 1)
  if record[BOOKING] ~= '' then book(id, record, record[BOOKING]) end
  set_due(id, record)
  save(id, record)
  changed()
end

local function is_later(phase, till, known)
  return known[PHASE] == 'H' or known[PHASE] == 'P' and (phase == 'S' or till > known[UNTIL])
end

-- Of the holds of a booking the one that an entry without a hold means: that has its seats, and of those the last.
local function hold_of(booking)
  local found, highest
  for _, id in ipairs(holds_of(booking)) do
    local record = record_of(id)
    local rank = record and (has_seats(record) and '1' or '0') .. record[FENCE]
    if rank and (not highest or rank > highest) then found, highest = id, rank end
  end
  return found
end

local function merge(hold, spare, booking, owner, want, phase, till, its_fence)
  if phase == 'P' and till <= now then return end
  local by_booking = hold == '' and booking ~= '' and hold_of(booking)
  local id = hold ~= '' and hold or by_booking or spare
  local known = record_of(id)
  latest = math.max(latest, till)
  if not known or (known[PHASE] == 'L' and phase == 'S') then
    add(id, { phase, till, its_fence, till, booking, owner, want, '', '' })
  elseif has_seats(known) then
    if booking ~= '' then
      book(id, known, booking)
      save(id, known)
    end
    if is_later(phase, till, known) then advance(id, known, phase, till) end
    take_free(id, known)
  end
end

raise(take())
for _ = 1, tonumber(take()) do
  local section = take()
  call('HSET', TAKEN, 'g' .. section, take())
  for _, counter in pairs(COUNTER) do call('HSETNX', TAKEN, counter .. section, '0') end
end

local new = take()
if new ~= (channels or '') then
  local old, place = {}, 1
  -- Each is its name, then its seats, both with their length before them.
  while channels and place <= #channels do
    for part = 1, 2 do
      local length, from = channels:match('^(%d+):()', place)
      if part == 2 then
        for _, seat in ipairs(seats_of(channels:sub(from, from + length - 1))) do old[#old + 1] = 'r' .. seat end
      end
      place = from + length
    end
  end
  hdel(TAKEN, old)
  if new == '' then call('HDEL', TAKEN, 'c') else call('HSET', TAKEN, 'c', new) end
end
local reserved = {}
for _ = 1, tonumber(take()) do reserved[#reserved + 1] = take() end
hset(TAKEN, reserved)

while at <= #ARGV do
  local hold, spare, booking, owner, want, phase, till, its_fence =
    take(), take(), take(), take(), take(), take(), moment(take()), take()
  raise(its_fence)
  merge(hold, spare, booking, owner, want, phase, till, its_fence)
end
changed()
finish(latest)
return { 'DONE' }
