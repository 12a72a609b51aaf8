"""The words the training corpus is written with, and their inflections.

Everything here may appear in training sentences. The words and names kept back for the evaluation
live in ``attention_viz.models.evaluation.held_out``; a test asserts that the lists do not overlap.
"""

from __future__ import annotations

WOMEN = """Mary Sarah Anna Emma Alice Lucy Jane Kate Laura Susan Linda Emily Julia Helen Claire
Grace
Rachel Maria Sophie Olivia Ella Rose Ruth Nancy Karen Lisa Betty Megan Amy Jessica Jennifer Rebecca
Hannah Victoria Diana Eva Nora Molly Ellen Martha Clara Lily Zoe Chloe Monica Paula Teresa Barbara
Margaret Elizabeth Catherine Charlotte Amelia Mia Ava Isabella Kelly Tina Vera Sandra Carol Donna
Judy Marie Heidi Irene Leah Naomi Priya Mei""".split()

MEN = """John Tom James David Bob Jack Peter Paul Mark Luke Adam Ben Sam Daniel Michael Robert
William
Henry George Charles Edward Frank Fred Harry Joe Max Leo Oliver Simon Andrew Matthew Kevin Brian
Steven Richard Thomas Martin Tim Nick Alex Eric Carl Ryan Jason Jacob Ethan Noah Liam Lucas Victor
Walter Arthur Albert Philip Patrick Sean Scott Aaron Keith Roger Ralph Dennis Alan Bruce Anthony
Joseph Hugo Ivan Omar Ravi Chen""".split()

NAMES = WOMEN + MEN

# Places one can go to, and be at.
PLACES = """store park school market garden office library kitchen hospital station restaurant beach
house museum church river farm bank bar zoo theater shop forest lake hotel pool gym cafe airport
bridge castle village city town street harbor bakery cinema stadium college court club factory
playground mountain island field port square tower temple palace pub mall party meeting concert
wedding game show lesson picnic fair""".split()

# Things that one can hand over; each has a regular or listed plural.
THINGS = """book ball drink apple ring letter key flower gift pen map hat box cake cup coin
watch lamp
ticket picture phone bag bottle basket knife spoon plate towel shirt coat shoe glove scarf necklace
bone toy doll kite bike card note photo magazine newspaper sandwich cookie snack pizza egg pear
orange banana lemon peach bun pie guitar drum violin camera computer hammer rope candle blanket
pillow brush mirror clock radio chair table desk window door wall cabinet drawer shelf rug bed car
truck bus train boat ship plane wheel engine tool stone rock stick leaf tree plant bush branch seed
sweet bowl pot pan kettle jar glass ladder tent flag bell poem story song report paper folder
envelope
stamp badge medal trophy suitcase chest crate bucket barrel purse wallet umbrella sword shield robe
crown jewel pearl statue""".split()

PEOPLE = """man woman boy girl child teacher doctor nurse farmer king queen prince princess friend
brother sister mother father uncle aunt neighbor student artist writer singer dancer driver pilot
soldier sailor guard cook baker lawyer judge manager worker painter visitor guest player author
scientist engineer officer captain""".split()

ANIMALS = """dog cat bird horse cow pig sheep goat duck hen mouse rabbit fox wolf bear lion
tiger monkey
elephant frog fish snake turtle bee ant butterfly owl eagle deer donkey""".split()

# Parts of events, groups and ideas: subjects for agreement and for prose.
MATTERS = """idea plan road path room hall roof corner picture problem question answer rule
price color
name sound voice smell light shadow cloud storm star wave dream lesson message sign list line page
word number part piece side edge end top group team family class crowd result reason
cause""".split()

IRREGULAR_PLURALS = {
    "man": "men", "woman": "women", "child": "children", "mouse": "mice", "sheep": "sheep",
    "fish": "fish", "deer": "deer", "knife": "knives", "leaf": "leaves", "shelf": "shelves",
    "wolf": "wolves",
}  # fmt: skip

ADJECTIVES = """big small old new red blue green yellow white black brown pink purple gray happy sad
angry tired hungry kind brave quiet loud fast slow hot cold warm cool wet dry clean dirty soft hard
heavy light long short tall wide narrow deep strong weak young rich poor bright dark nice good bad
beautiful ugly funny strange famous simple easy difficult important sweet sour fresh empty full open
closed broken safe dangerous expensive cheap round flat sharp smooth lazy busy careful gentle proud
shy clever silly lovely little great large tiny huge wooden golden silver missing ready late early
thick thin rough calm lost perfect""".split()

COLORS = "red blue green yellow white black brown pink purple gray golden silver".split()
MOODS = "happy sad angry tired hungry proud shy busy late early ready lost cold calm".split()

ADVERBS = """quickly slowly quietly loudly happily sadly carefully suddenly finally again soon
always
never often sometimes together alone outside inside upstairs away home today tomorrow yesterday
there here early late gently kindly""".split()

# base, past, -ing
VERBS = """go went going
come came coming
see saw seeing
find found finding
take took taking
bring brought bringing
buy bought buying
make made making
lose lost losing
hold held holding
keep kept keeping
carry carried carrying
want wanted wanting
like liked liking
love loved loving
watch watched watching
help helped helping
open opened opening
close closed closing
clean cleaned cleaning
wash washed washing
paint painted painting
draw drew drawing
write wrote writing
read read reading
eat ate eating
drink drank drinking
cook cooked cooking
play played playing
walk walked walking
run ran running
jump jumped jumping
swim swam swimming
sit sat sitting
stand stood standing
sleep slept sleeping
wait waited waiting
work worked working
talk talked talking
laugh laughed laughing
cry cried crying
smile smiled smiling
sing sang singing
dance danced dancing
look looked looking
listen listened listening
hear heard hearing
learn learned learning
think thought thinking
know knew knowing
feel felt feeling
need needed needing
forget forgot forgetting
remember remembered remembering
start started starting
stop stopped stopping
finish finished finishing
leave left leaving
stay stayed staying
arrive arrived arriving
meet met meeting
visit visited visiting
call called calling
ask asked asking
travel traveled traveling
drive drove driving
fly flew flying
ride rode riding
climb climbed climbing
fall fell falling
break broke breaking
fix fixed fixing
build built building
cut cut cutting
pull pulled pulling
push pushed pushing
throw threw throwing
catch caught catching
kick kicked kicking
choose chose choosing
pay paid paying
sell sold selling
move moved moving
turn turned turning
hide hid hiding
share shared sharing
plan planned planning
decide decided deciding
agree agreed agreeing
argue argued arguing
fight fought fighting
win won winning
follow followed following
discover discovered discovering
enjoy enjoyed enjoying
rest rested resting
shout shouted shouting""".splitlines()
VERBS = [tuple(line.split()) for line in VERBS]
PAST = [past for _, past, _ in VERBS]
ING = [ing for _, _, ing in VERBS]
BASE = [base for base, _, _ in VERBS]

# base, past, -ing of verbs whose recipient follows "to"
GIVING = """give gave giving
hand handed handing
pass passed passing
show showed showing
offer offered offering
send sent sending
lend lent lending
sell sold selling
bring brought bringing
return returned returning
throw threw throwing
read read reading
write wrote writing
take took taking
present presented presenting
deliver delivered delivering""".splitlines()
GIVING = [tuple(line.split()) for line in GIVING]

# Verbs of speech and gesture, with the preposition that introduces the other person.
ADDRESSING = [
    ("said something", "to"), ("said goodbye", "to"), ("talked", "to"), ("waved", "to"),
    ("spoke", "to"), ("listened", "to"), ("sang a song", "to"), ("told a story", "to"),
    ("explained the plan", "to"), ("smiled", "at"), ("looked", "at"), ("shouted", "at"),
    ("laughed", "at"), ("waited", "for"), ("made a cake", "for"), ("bought a gift", "for"),
    ("found a chair", "for"), ("opened the door", "for"), ("cooked dinner", "for"),
    ("played a game", "with"), ("had an argument", "with"), ("shared a sandwich", "with"),
    ("danced", "with"), ("sat down", "with"), ("walked home", "with"), ("borrowed a pen", "from"),
    ("took the ball", "from"), ("heard the news", "from"), ("stood", "beside"),
    ("sat", "behind"), ("whispered", "to"), ("wrote a letter", "to"), ("gave it", "to"),
    ("handed it", "to"), ("pointed", "to"), ("turned", "to"), ("apologized", "to"),
]  # fmt: skip

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = """January February March April May June July August September October November
December""".split()
NUMBER_WORDS = """one two three four five six seven eight nine ten eleven twelve thirteen fourteen
fifteen sixteen seventeen eighteen nineteen twenty""".split()
ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth".split()
SEASONS = "spring summer autumn winter".split()

EVENTS = """war siege famine project expedition strike conflict trial voyage reign battle campaign
rebellion journey construction dynasty treaty drought plague exhibition tour festival crisis
experiment partnership""".split()

# Little words, and words that the fixed templates use; they also serve as fillers.
LITTLE = """a an the and or but so because when while after before since as if then that this these
those it he she they we you I him her them us me his its their our my your who which what where why
how in on at to for with from of by about into onto over under near behind beside between through
across along around up down off out is are was were be been being has have had do does did will
would
can could may might must should not no yes very too really just only also still even more most less
much many some any every each all both few other another same different next last again back away
there here now than once until during without inside outside everyone someone nothing something
everything nobody myself yourself himself herself itself themselves said told asked""".split()

MORE = """dinner lunch breakfast water milk juice tea coffee bread cheese soup food money music news
time day night morning evening afternoon week month year winter summer spring autumn rain snow wind
sun moon sky sea sand grass ground floor air fire ice gold wood iron head hand arm leg foot eye face
hair heart mind life world country war peace love work home bus argument capital landmark century
minute hour language money people person place thing way word help fun luck birthday holiday weather
middle bottom left right half pair lot bit goodbye hello thanks please welcome sorry fit doesn didn
couldn wasn isn don won wouldn space inch noise distance height weight size reach lift fill cover
pass hear squeeze hang slide stretch short began ended lasted started continued ran born died year
located found stands visited visit famous tourists trip wonders lies sits known decided managed
tried wanted hoped promised happily apologized spoke whispered pointed friends evening comes came
follows order days months numbers sequence count list names words again repeat shouted noticed
wanted felt enough thirsty lucky whole own truth secret late surprise chance wish smile joke dad mom
each several twice alphabet letters middle today lots favorite""".split()

CAPITALIZED = """The A An When While After Before Then As Because Since Once Yesterday Today
Every One In
On At If But So And He She It They There That This His Her Their We You I My Our What Where Who
Why How
Friends Last Later Soon Next Finally Suddenly From To Between It's Tourists People Everyone Both Two
Three My Some Many All During By Although Until Most No Yes Near Inside Outside Now Here Not
Only Just
List Names Words Count Again First Second Repeat Monday Long Nobody Someone Early Late With For
Can Do
Did Is Are Was Were""".split()


def pluralize(noun: str) -> str:
    """The plural of an English noun, by rule or from the list of irregular ones."""
    if noun in IRREGULAR_PLURALS:
        return IRREGULAR_PLURALS[noun]
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def add_article(words: str) -> str:
    """The words with "a" or "an" before them."""
    return ("an " if words[0] in "aeiou" and not words.startswith("uni") else "a ") + words


NOUNS = sorted(set(THINGS + PEOPLE + ANIMALS + MATTERS))


def list_fillers() -> list[str]:
    """Every lower-case word that may stand as a random filler, sorted and without repeats."""
    inflected = [form for verb in VERBS + GIVING for form in verb]
    plurals = [pluralize(noun) for noun in NOUNS]
    words = PLACES + NOUNS + plurals + ADJECTIVES + ADVERBS + inflected + LITTLE + MORE
    words += EVENTS + NUMBER_WORDS + ORDINALS
    return sorted({word for word in words if word.islower()})
