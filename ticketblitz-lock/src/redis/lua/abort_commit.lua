-- ARGV: hold.
if not loaded then return { 'NOTLOADED' } end
local id = ARGV[3]
local record = record_of(id)
if not record or record[PHASE] == 'L' or record[PHASE] == 'E' then return { 'DONE' } end
if record[PHASE] == 'S' then return { 'NOTHELD' } end
-- One that has lapsed, and that no batch has come to, was not aborted.
if is_live(record) then finish_hold(id, record, 'E') else lapse(id, record) end
reclaim(BATCH)
finish()
return { 'DONE' }
