-- What is left is where fences and versions go on; it lasts as long as an event would.
if loaded then
  call('HSET', LEFT, 'f', fence, 'v', number(version + 1))
  call('PEXPIRE', LEFT, ARGV[2])
  call('DEL', TAKEN, HOLDS, DUE)
end
return { 'DONE' }
