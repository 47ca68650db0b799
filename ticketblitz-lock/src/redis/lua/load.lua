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

-- Into an event that was not loaded nothing but this snapshot comes, each of its holds once: what is to be written is
-- gathered, and written by few calls: the server serves nobody meanwhile, and for about half as long.
local gathered = { seats = {}, taken = {}, holds = {}, owners = {}, bookings = {}, units = {} }

local function gather(id, record)
  local owner, booking, value = record[OWNER], record[BOOKING], seat_value(id, record)
  local section, units = area_of(record[WANT])
  if section then
    local counter = COUNTER[record[PHASE]] .. section
    gathered.units[counter] = (gathered.units[counter] or 0) + units
  else
    local seats, taken = seats_of(record[WANT]), gathered.taken
    units = #seats
    for _, seat in ipairs(seats) do
      if not gathered.seats[seat] then
        gathered.seats[seat] = true
        taken[#taken + 1] = 's' .. seat
        taken[#taken + 1] = value
      end
    end
  end
  gathered.owners[owner] = (gathered.owners[owner] or 0) + units
  if booking ~= '' then gathered.bookings[booking] = (gathered.bookings[booking] or '') .. id end
  gathered.holds[#gathered.holds + 1] = 'h' .. id
  gathered.holds[#gathered.holds + 1] = cmsgpack.pack(record)
  if deadline(record) then set_due(id, record) end
  changed()
end

local function write_gathered()
  local taken, holds = gathered.taken, gathered.holds
  for counter, units in pairs(gathered.units) do
    taken[#taken + 1] = counter
    taken[#taken + 1] = number(units)
  end
  for owner, units in pairs(gathered.owners) do
    holds[#holds + 1] = 'o' .. owner
    holds[#holds + 1] = number(units)
  end
  for booking, ids in pairs(gathered.bookings) do
    holds[#holds + 1] = 'b' .. booking
    holds[#holds + 1] = ids
  end
  hset(TAKEN, taken)
  hset(HOLDS, holds)
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
  if not loaded then
    latest = math.max(latest, till)
    return gather(hold ~= '' and hold or spare, { phase, till, its_fence, till, booking, owner, want, '', '' })
  end
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
if not loaded then write_gathered() end
changed()
finish(latest)
return { 'DONE' }
