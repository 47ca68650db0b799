-- ARGV: hold, owner.
if not loaded then return { 'NOTLOADED' } end
local record, refusal = owned(ARGV[3], ARGV[4])
if refusal then return refusal end
if record[PHASE] == 'P' then return { 'INPAYMENT' } end
finish_hold(ARGV[3], record)
reclaim(BATCH)
finish()
return { 'DONE' }
