-- ARGV: hold, owner, grace.
if not loaded then return { 'NOTLOADED' } end
local id = ARGV[3]
local record, refusal = owned(id, ARGV[4])
if refusal then return refusal end
if record[PHASE] ~= 'P' then
  advance(id, record, 'P', later(tonumber(ARGV[5])))
  reclaim(BATCH)
  finish(record[UNTIL])
end
return answer(id, record)
