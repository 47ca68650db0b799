-- ARGV: booking.
if not loaded then return { 'NOTLOADED' } end
local id = call('HGET', HOLDS, 'b' .. ARGV[3])
local record = id and record_of(id)
if record and record[PHASE] == 'S' then
  finish_hold(id, record, 'E')
  reclaim(BATCH)
  finish()
end
return { 'DONE' }
