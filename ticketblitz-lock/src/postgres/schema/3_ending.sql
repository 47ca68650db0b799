-- How holds end.

-- Frees what these holds had: seats by name, then areas by section. The caller has just ended them.
create or replace function ticketblitz_lock.vacate(_event uuid, _holds uuid[]) returns void language plpgsql volatile as $$
declare
    freed record;
begin
    for freed in select h.seat, h.id from unnest(_holds) w (id) cross join lateral (
            select o.id, unnest(o.seats) as seat from ticketblitz_lock.holds o
            where o.event = _event and o.id = w.id offset 0) h
        order by h.seat collate "C"
    loop
        update ticketblitz_lock.seats set hold = null where event = _event and seat = freed.seat and hold = freed.id;
    end loop;
    for freed in select h.section, sum(h.quantity) as units from unnest(_holds) w (id) cross join lateral (
            select o.section, o.quantity from ticketblitz_lock.holds o
            where o.event = _event and o.id = w.id and o.section is not null offset 0) h
        group by h.section order by h.section
    loop
        update ticketblitz_lock.areas set taken = taken - freed.units where event = _event and section = freed.section;
    end loop;
end $$;

-- Makes holds `ended` or `gone`, those of them that have not ended yet: nothing is given back twice. The caller has their
-- rows. (By what they are not in: by what they are in, a plan might go through all of the event that are in it.)
create or replace function ticketblitz_lock.finish(_event uuid, _holds uuid[], _phase text, _moment bigint)
returns void language plpgsql volatile as $$
declare
    remember bigint := case _phase when 'ended' then ticketblitz_lock.later(_moment, 3600000000) end;
    ended uuid[] := '{}';
    one uuid;
begin
    foreach one in array _holds loop
        update ticketblitz_lock.holds
            set phase = _phase, remember_until = remember, forget_at = greatest(remember, attempt_until, 0)
            where event = _event and id = one and phase not in ('lapsed', 'ended', 'gone');
        if found then
            ended := ended || one;
        end if;
    end loop;
    perform ticketblitz_lock.vacate(_event, ended);
end $$;

-- Ends those of these holds that have lapsed, and leaves them for the stream to tell. The caller has their rows or is alone.
create or replace function ticketblitz_lock.lapse(_event uuid, _holds uuid[], _moment bigint)
returns void language plpgsql volatile as $$
declare
    remember bigint := ticketblitz_lock.later(_moment, 3600000000);
    ended uuid[] := '{}';
    one uuid;
begin
    for one in select h.id from unnest(_holds) w (id) cross join lateral (
            select o.id, o.phase, o.until from ticketblitz_lock.holds o where o.event = _event and o.id = w.id offset 0) h
        where h.phase in ('held', 'paying') and h.until <= _moment
        order by h.until, h.id
    loop
        with lapsed as (
            update ticketblitz_lock.holds
            set phase = case phase when 'paying' then 'lapsed' else 'gone' end,
                remember_until = case phase when 'paying' then remember end,
                forget_at = greatest(case phase when 'paying' then remember end, attempt_until, 0)
            where event = _event and id = one and phase not in ('lapsed', 'ended', 'gone')
            returning *
        )
        insert into ticketblitz_lock.expiries
            (event, hold, owner, seats, section, quantity, fence, paying, until, ceiling, noticed)
            select event, id, owner, seats, section, quantity, fence, phase = 'lapsed', until, ceiling, _moment
            from lapsed;
        if found then
            ended := ended || one;
        end if;
    end loop;
    perform ticketblitz_lock.vacate(_event, ended);
end $$;

-- Gives those that are untold their numbers, a batch at a time, and forgets all but the last 65,536. The row of the stream is
-- looked up by its key wherever it is read: to read the table whole is made to look so dear that it would be compiled first.
create or replace function ticketblitz_lock.tell() returns void language plpgsql volatile as $$
declare
    s ticketblitz_lock.stream;
    told bigint;
begin
    select * into s from ticketblitz_lock.stream where single for update;
    update ticketblitz_lock.expiries e set n = s.next + t.place - 1
        from (select u.id, row_number() over (order by u.id) as place from
              (select id from ticketblitz_lock.expiries where n is null order by id limit 1024) u) t
        where e.id = t.id;
    get diagnostics told = row_count;
    s.next := s.next + told;
    if s.next - s.first > 65536 then
        s.first := s.next - 65536;
        delete from ticketblitz_lock.expiries where n < s.first;
    end if;
    update ticketblitz_lock.stream set first = s.first, next = s.next where single and told > 0;
end $$;

-- Forgets a few of those that need no longer be remembered: a hold that is made forgets more than one. None with a higher fence
-- than the new hold's, so that the highest in the event never falls. What lapsed is told some time, even if nobody asks, so
-- that it can be forgotten.
create or replace function ticketblitz_lock.tidy(_event uuid, _fence numeric, _moment bigint) returns void
language plpgsql volatile as $$
declare
    forgotten uuid;
begin
    for forgotten in select id from ticketblitz_lock.holds where event = _event and forget_at <= _moment and fence <= _fence
        order by forget_at limit 4 for update skip locked
    loop
        delete from ticketblitz_lock.holds where event = _event and id = forgotten;
    end loop;
    perform from (select noticed from ticketblitz_lock.expiries where n is null order by id limit 1) oldest
        where noticed < _moment - 60000000;
    if found then
        perform from ticketblitz_lock.stream where single for update skip locked;
        if found then
            perform ticketblitz_lock.tell();
        end if;
    end if;
end $$;
