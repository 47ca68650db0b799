-- ARGV: attempt, the new hold's id, owner, ttl, ceiling, limit or '', hold to replace or '', how many channels, the
-- channels, the candidates.
local attempt, id, owner, limit, replacing = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[8]), ARGV[9]
local named, wants = {}, {}
for at = 11, 10 + ARGV[10] do named[ARGV[at]] = true end
for at = 11 + ARGV[10], #ARGV do wants[#wants + 1] = ARGV[at] end
local asked = #wants > 1 and cmsgpack.pack(wants) or ''

-- The answer to an attempt that was made before; none once its hold is over and its ceiling has passed.
local function repeated(value)
  local known = value:sub(1, 36)
  local record = record_of(known)
  if is_live(record) then
    local same = record[ASKED] == asked and (asked ~= '' or record[WANT] == wants[1])
    return record[OWNER] == owner and same and answer(known, record) or { 'REUSED' }
  end
  if now < tonumber(value:sub(37)) then return { 'ATTEMPTLAPSED' } end
end

local replaced, given_up = nil, 0
local conflicts, seen, stale = { 'UNAVAILABLE' }, {}, {}

local function units_taken() return (tonumber(call('HGET', HOLDS, 'o' .. owner)) or 0) - given_up end

-- What is taken already, if with these units it would be too much.
local function over_limit(units)
  if not limit or units_taken() + units <= limit then return nil end
  if not reclaim_all() then return nil, { 'MORE' } end
  local taken = units_taken()
  return taken + units > limit and taken or nil
end

local function conflict(kind, name, a, b)
  local key = kind .. name
  if kind == 'A' or not seen[key] then
    seen[key] = true
    for _, part in ipairs({ kind, name, a, b }) do conflicts[#conflicts + 1] = part end
  end
end

local function seats_free(seats)
  local found = hmget(TAKEN, 's', seats)
  local reserved = channels and hmget(TAKEN, 'r', seats) or {}
  local free = true
  for at, seat in ipairs(seats) do
    local value = found[at]
    local till = value and tonumber(value:sub(38))
    if reserved[at] and not named[reserved[at]] then
      conflict('R', seat, '', '')
      free = false
    elseif value and owner_of_seat(value) ~= replacing then
      if till and till <= now then
        stale[owner_of_seat(value)] = true
      else
        conflict(value:sub(1, 1), seat, till and number(till - now) or '', '')
        free = false
      end
    end
  end
  return free
end

local function free_units(section)
  local n = hmget(TAKEN, '', { 'g' .. section, '1' .. section, '2' .. section, '3' .. section })
  if not n[1] then return nil end
  local held = tonumber(n[2])
  if replaced and area_of(replaced[WANT]) == section then held = held - given_up end
  return math.max(0, n[1] - held - n[3] - n[4])
end

local function area_free(section, units)
  local free = free_units(section)
  if free and free < units then
    if not reclaim_all() then return nil, { 'MORE' } end
    free = free_units(section)
  end
  if not free then return nil, { 'NOAREA', section } end
  if free < units then conflict('A', section, number(units), number(free)) end
  return free >= units
end

-- The first candidate that is wholly available, or the refusal.
local function choose()
  local exceeded
  for _, want in ipairs(wants) do
    local section, units = area_of(want)
    local seats = seats_of(want)
    local taken, refusal = over_limit(units or #seats)
    if refusal then return nil, refusal end
    if taken then
      exceeded = taken
    else
      local free
      if section then free, refusal = area_free(section, units) else free = seats_free(seats) end
      if refusal then return nil, refusal end
      if free then return want, seats end
    end
  end
  if exceeded and #conflicts == 1 then return nil, { 'LIMIT', number(exceeded) } end
  return nil, conflicts
end

local function take(want, seats)
  for other in pairs(stale) do
    local record = record_of(other)
    if record and deadline(record) then lapse(other, record) end
  end
  reclaim(BATCH)
  local ceiling = later(tonumber(ARGV[7]))
  local till = later(tonumber(ARGV[6]))
  if replaced then
    ceiling = math.min(ceiling, replaced[CEILING])
    till = math.min(till, ceiling)
    finish_hold(replacing, replaced)
  end
  local record = { 'H', till, next_fence(), ceiling, '', owner, want, asked, attempt }
  local fields, value = {}, seat_value(id, record)
  for _, seat in ipairs(seats) do
    fields[#fields + 1] = 's' .. seat
    fields[#fields + 1] = value
  end
  hset(TAKEN, fields)
  count_units(record, 1)
  call('HSET', HOLDS, 'h' .. id, cmsgpack.pack(record), 'a' .. attempt, id .. number(ceiling))
  count_owner(record, 1)
  call('ZADD', DUE, number(till), 'h' .. id)
  changed()
  finish(ceiling)
  return answer(id, record)
end

if not loaded then return { 'NOTLOADED' } end
local made = call('HGET', HOLDS, 'a' .. attempt)
local known = made and repeated(made)
if known then return known end
if replacing ~= '' then
  local refusal
  replaced, refusal = owned(replacing, owner)
  if refusal then return refusal end
  if replaced[PHASE] == 'P' then return { 'INPAYMENT' } end
  given_up = units_of(replaced[WANT])
end
local want, seats = choose()
if not want then return seats end
return take(want, seats)
