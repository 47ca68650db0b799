-- ARGV: booking.
if not loaded then return { 'NOTLOADED' } end
local reopened = false
for _, id in ipairs(holds_of(ARGV[3])) do
  local record = record_of(id)
  if record and record[PHASE] == 'S' and record[BOOKING] == ARGV[3] then
    finish_hold(id, record, 'E')
    reopened = true
  end
end
if reopened then
  reclaim(BATCH)
  finish()
end
return { 'DONE' }
