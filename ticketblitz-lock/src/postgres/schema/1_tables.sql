-- Tables of the PostgreSQL backend. setup() runs these files under an advisory lock, in the order of their numbers; they can
-- be run again at any time. The name ticketblitz_lock is replaced by that of the schema chosen, in double quotes.
--
-- Moments are microseconds since 1970, of the server's clock_timestamp(). `_now` is null but in tests, whose time it is.
--
-- Locks, always in this order, so that nobody waits for somebody who waits for them:
--   1. the event's advisory lock: shared by most operations; alone (exclusive) for load, unload and the holds that have
--      to clean up first or replace another; its key is hashtextextended('"<schema>" <event>', 0);
--   2. the advisory lock of an owner, by the holds with a limit that are not alone: hashtextextended('owner <owner>', <the
--      event's key>);
--   3. rows of holds, the new one's and that of its attempt included;
--   4. rows of seats, by name; 5. rows of areas, by section; 6. the row of the stream.
-- So holds of different seats of one event neither wait for each other nor for each other's flush of the log. A seat goes
-- from one hold to another in this way: only somebody who is alone ends a hold that has lapsed to take what it has; all
-- others take it for taken. Before any lock there is a plain read: who loses by it writes nothing and locks nothing. Who
-- wins by it writes only where it is still true, and if it is not undoes all, locks too, and reads again.
--
-- Plans are made once a connection, often while the tables are still small, and kept. None may depend on how large they
-- were: who reads rows by their keys does so by look-ups (`lateral`, `offset 0` or one statement a row), each index serves
-- one kind of question, and functions that are called from outside plan without sequential scans.

-- Not `if not exists`, for which one has to be allowed to make schemas even if it is there.
do $$
begin
    if to_regnamespace('ticketblitz_lock') is null then
        create schema ticketblitz_lock;
    end if;
end $$;

-- Which version made all this. Its comment would be the database's owner's.
create table if not exists ticketblitz_lock.lock_version (
    single boolean primary key default true check (single),
    version text not null
);

create table if not exists ticketblitz_lock.events (
    id uuid primary key,
    -- Every new hold has a higher fence. The numbers of a snapshot may be any of 64 bits, unsigned.
    fence_floor numeric(20) not null,
    -- Rises with every load.
    loaded bigint not null
);

-- What is left of an event that was unloaded: where its fences and versions go on.
create table if not exists ticketblitz_lock.unloaded (
    id uuid primary key,
    fence numeric(20) not null,
    loaded bigint not null
);

create table if not exists ticketblitz_lock.areas (
    event uuid not null,
    section text collate "C" not null,
    capacity bigint not null,
    -- Units of all holds that are held, in payment or sold; of those that have lapsed too until they are ended.
    taken bigint not null,
    -- The highest that was given out here.
    fence numeric(20) not null,
    primary key (event, section)
);

-- A row for every seat that was ever held or is reserved; it keeps the seat's last fence when the seat is free.
create table if not exists ticketblitz_lock.seats (
    event uuid not null,
    seat text collate "C" not null,
    hold uuid,
    fence numeric(20) not null,
    channel text collate "C",
    primary key (event, seat)
) with (fillfactor = 70);

create table if not exists ticketblitz_lock.holds (
    event uuid not null,
    id uuid not null,
    owner text collate "C" not null,
    -- Seats, or units of a section.
    seats text[] not null,
    section text collate "C",
    quantity bigint not null,
    fence numeric(20) not null,
    -- held, paying, sold; lapsed (in payment), ended (aborted or reopened): remembered for a while;
    -- gone (released, or lapsed while held): nothing but its attempt is remembered.
    phase text collate "C" not null,
    -- When it lapses; a sale never does.
    until bigint not null,
    ceiling bigint not null,
    booking uuid,
    attempt uuid,
    -- All that the request would have done with, if there was more than one.
    candidates text collate "C",
    attempt_until bigint,
    remember_until bigint,
    -- When the row can go; null while it is held, in payment or sold.
    forget_at bigint,
    primary key (id, event)
) with (fillfactor = 70);

-- No two of them can serve one question: a plan for small tables would take either, and go by the event alone. Those that
-- begin with the event have a condition that the question has to name, `fence >= 0` though it is always so.
create unique index if not exists holds_attempt on ticketblitz_lock.holds (event, attempt) where attempt is not null;
create index if not exists holds_fence on ticketblitz_lock.holds (event, fence) where fence >= 0;
create index if not exists holds_booking on ticketblitz_lock.holds (booking, event) where booking is not null;
create index if not exists holds_until on ticketblitz_lock.holds (event, until) where phase in ('held', 'paying');
create index if not exists holds_owner on ticketblitz_lock.holds (event, owner) where phase in ('held', 'paying', 'sold');
create index if not exists holds_section on ticketblitz_lock.holds (event, section, until)
    where section is not null and phase in ('held', 'paying', 'sold');
create index if not exists holds_forget on ticketblitz_lock.holds (event, forget_at) where forget_at is not null;

-- The holds that lapsed, as they were. They get their numbers when they are told, under the stream's lock: so the numbers
-- are in the order of commits, and no cursor passes one that is committed later.
create table if not exists ticketblitz_lock.expiries (
    id bigint generated always as identity primary key,
    n bigint,
    event uuid not null,
    hold uuid not null,
    owner text not null,
    seats text[] not null,
    section text,
    quantity bigint not null,
    fence numeric(20) not null,
    paying boolean not null,
    until bigint not null,
    ceiling bigint not null,
    noticed bigint not null
);
create unique index if not exists expiries_n on ticketblitz_lock.expiries (n) where n is not null;
create index if not exists expiries_untold on ticketblitz_lock.expiries (id) where n is null;

-- The numbers that are remembered, first inclusive and next exclusive. They start at the time: a cursor of a former life
-- is seen to be old.
create table if not exists ticketblitz_lock.stream (
    single boolean primary key default true check (single),
    first bigint not null,
    next bigint not null
);
insert into ticketblitz_lock.stream (first, next)
    select moment, moment from (select (extract(epoch from clock_timestamp()) * 1000000)::bigint) t (moment)
    on conflict do nothing;
