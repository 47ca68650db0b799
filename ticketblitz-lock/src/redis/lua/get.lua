-- ARGV: hold.
if not loaded then return { 'NOTLOADED' } end
local record = record_of(ARGV[3])
return is_live(record) and answer(ARGV[3], record) or { 'NOTHELD' }
