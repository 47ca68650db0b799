-- How holds end.

-- Frees what these holds had. The caller has their rows. The seats are locked by name first: an update goes its own way.
create or replace function ticketblitz_lock.vacate(_event uuid, _holds uuid[]) returns void language plpgsql volatile as $$
declare
    freed text[] := array(select unnest(seats) from ticketblitz_lock.holds where event = _event and id = any (_holds));
    area record;
begin
    if cardinality(freed) > 1 then
        perform from ticketblitz_lock.seats where event = _event and seat = any (freed) and hold = any (_holds)
            order by seat for update;
    end if;
    update ticketblitz_lock.seats set hold = null where event = _event and seat = any (freed) and hold = any (_holds);
    for area in select section, sum(quantity) as units from ticketblitz_lock.holds
        where event = _event and id = any (_holds) and section is not null group by section order by section
    loop
        update ticketblitz_lock.areas set taken = taken - area.units where event = _event and section = area.section;
    end loop;
end $$;

-- Makes holds `ended` or `gone`. The caller has their rows.
create or replace function ticketblitz_lock.finish(_event uuid, _holds uuid[], _phase text, _moment bigint)
returns void language plpgsql volatile as $$
declare
    remember bigint := case _phase when 'ended' then ticketblitz_lock.later(_moment, 3600000000) end;
begin
    update ticketblitz_lock.holds
        set phase = _phase, remember_until = remember, forget_at = greatest(remember, attempt_until, 0)
        where event = _event and id = any (_holds);
    perform ticketblitz_lock.vacate(_event, _holds);
end $$;

-- Ends those of these holds that have lapsed, and leaves them for the stream to tell.
create or replace function ticketblitz_lock.lapse(_event uuid, _holds uuid[], _moment bigint)
returns void language plpgsql volatile as $$
declare
    remember bigint := ticketblitz_lock.later(_moment, 3600000000);
    ended uuid[];
begin
    with lapsed as (
        update ticketblitz_lock.holds
        set phase = case phase when 'paying' then 'lapsed' else 'gone' end,
            remember_until = case phase when 'paying' then remember end,
            forget_at = greatest(case phase when 'paying' then remember end, attempt_until, 0)
        where event = _event and id = any (_holds) and phase in ('held', 'paying') and until <= _moment
        returning *
    ), noticed as (
        insert into ticketblitz_lock.expiries
            (event, hold, owner, seats, section, quantity, fence, paying, until, ceiling, noticed)
        select event, id, owner, seats, section, quantity, fence, phase = 'lapsed', until, ceiling, _moment
        from lapsed order by until, id
    )
    select array_agg(id) into ended from lapsed;
    if ended is not null then
        perform ticketblitz_lock.vacate(_event, ended);
    end if;
end $$;

-- Gives those that are untold their numbers, a batch at a time, and forgets all but the last 16,384.
create or replace function ticketblitz_lock.tell() returns void language plpgsql volatile as $$
declare
    s ticketblitz_lock.stream;
    told bigint;
begin
    select * into s from ticketblitz_lock.stream for update;
    update ticketblitz_lock.expiries e set n = s.next + t.place - 1
        from (select u.id, row_number() over (order by u.id) as place from
              (select id from ticketblitz_lock.expiries where n is null order by id limit 1024) u) t
        where e.id = t.id;
    get diagnostics told = row_count;
    s.next := s.next + told;
    if s.next - s.first > 16384 then
        s.first := s.next - 16384;
        delete from ticketblitz_lock.expiries where n < s.first;
    end if;
    update ticketblitz_lock.stream set first = s.first, next = s.next where told > 0;
end $$;

-- Forgets a few of those that need no longer be remembered: a hold that is made forgets more than one. What lapsed is
-- told some time, even if nobody asks, so that it can be forgotten.
create or replace function ticketblitz_lock.tidy(_event uuid, _moment bigint) returns void language plpgsql volatile as $$
begin
    delete from ticketblitz_lock.holds where event = _event and id = any (array(
        select id from ticketblitz_lock.holds where event = _event and forget_at <= _moment
        order by forget_at limit 4 for update skip locked));
    perform from (select noticed from ticketblitz_lock.expiries where n is null order by id limit 1) oldest
        where noticed < _moment - 60000000;
    if found then
        perform from ticketblitz_lock.stream for update skip locked;
        if found then
            perform ticketblitz_lock.tell();
        end if;
    end if;
end $$;
