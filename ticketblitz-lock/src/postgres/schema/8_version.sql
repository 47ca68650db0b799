-- Which version this is. If another one made the tables meanwhile, nothing is done.
insert into ticketblitz_lock.lock_version (version) values ('ticketblitz-lock 1') on conflict do nothing;
do $$
declare
    made_by text := (select version from ticketblitz_lock.lock_version);
begin
    if made_by <> 'ticketblitz-lock 1' then
        raise exception 'the schema is of %, not ticketblitz-lock 1', made_by;
    end if;
end $$;
