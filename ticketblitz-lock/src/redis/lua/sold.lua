-- ARGV: hold, fence, booking.
local id, booking = ARGV[3], ARGV[5]

local function highest_fence_on(seats)
  local highest = ''
  for _, value in pairs(hmget(TAKEN, 's', seats)) do
    local rival = value and record_of(owner_of_seat(value))
    if rival and rival[FENCE] > highest then highest = rival[FENCE] end
  end
  return highest
end

if not loaded then return { 'NOTLOADED' } end
local record = record_of(id)
if not record then return { 'NOTHELD' } end
if ARGV[4] > record[FENCE] then return { 'NOTITSFENCE' } end
if ARGV[4] < record[FENCE] then return { 'STALE', record[FENCE] } end
if record[PHASE] == 'S' and record[BOOKING] == booking then return { 'DONE' } end
if is_live(record) then
  book(id, record, booking)
  advance(id, record, 'S', 0)
  reclaim(BATCH)
  finish()
  return { 'DONE' }
end
if record[PHASE] == 'L' then
  local seen = highest_fence_on(seats_of(record[WANT]))
  if seen > record[FENCE] then return { 'STALE', seen } end
end
return { 'NOTHELD' }
