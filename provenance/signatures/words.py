"""The words that carry no topic: English function words, and the fillers of prose by assistants.

Fixed lists, written for this project and not fitted on anybody's texts: a list fitted on texts
would have to be kept apart from the texts that it is tested on. A change here changes numbers:
raise the version of every signature that reads them (skeleton, function_words).
"""

from __future__ import annotations

_FUNCTION = """
a about above across after against all along also although am among an and another any anyone
anything are aren't around as at away back be became because been before behind being below
beneath beside besides between beyond both but by can can't cannot could couldn't despite did
didn't do does doesn't doing don't down during each either else enough even ever every everyone
everything except few for from further had hadn't has hasn't have haven't having he he's her here
hers herself him himself his how however i i'd i'll i'm i've if in inside instead into is isn't it
it's its itself just least less let let's like many may me might mine more most much must my myself
near neither never no nobody none nor not nothing now of off often on once one ones only onto or
other others ought our ours ourselves out outside over own past per perhaps quite rather same shall
she she's should shouldn't since so some someone something sometimes still such than that that's
the their theirs them themselves then there there's these they they're this those though through
throughout thus to together too toward towards under unless until up upon us very was wasn't we
we'll we're we've were weren't what what's whatever when whenever where whereas wherever whether
which while who whoever whole whom whose why will with within without won't would wouldn't yet you
you'd you'll you're you've your yours yourself yourselves
"""

_FILLER = """
able absolutely accordingly accurate achieve actually add adding addition additional additionally
address adds afterwards again ago ah ahead aim allow allowing allows almost alone already
alternatively always amount answer anyway anywhere apart apologies apologize appear appears
appreciate approach appropriate approximately apply arguably ask asked aspect aspects assist
assistant assume assuming available avoid aware based basic basically begin beginning believe
benefit benefits best better big bit bottom break brief briefly bring broad build call called care
careful carefully case cases cause certain certainly challenge challenges change changes check
choice choose choosing clarify clear clearly close collectively combination combine come comes
coming common commonly complete completely complex comprehensive concise conclude conclusion
confirm consider considered considering consist consistent constantly contain contains content
context continue contrast correct correctly course create created creates creating crucial
current currently deep deeply definitely depend depending depends describe described desired detail
detailed details determine develop different difference difficult direct directly discuss don
double due e.g earlier early easily easy effective effectively effort eg emphasize enable end
enhance enhancing ensure ensures ensuring entire entirely equal equally especially
essence essential essentially etc evaluate eventually exact exactly example examples excellent
exciting expect experience explain explanation explore extremely face fact factor factors fairly
false fascinating feature features feel final finally find finding first firstly fit five focus
follow followed following follows form former forward foster fostering found four free frequently
full fully fundamental furthermore gain general generally get getting give given gives giving go
goal goals going good got gradually great greater greatly group guide half hand happen happens
happy hard have help helpful helping helps hence here's highlight highly hope huge idea ideal
ideally ideas identify ie imagine immediately impact implement importance important importantly
improve improving inadvertently include included includes including incorporate increase increased
increasing incredible incredibly indeed indicate individual individuals inform information initial
initially insight insights intricate involve involved involves issue issues item key kind kinds
know known lack landscape large largely last lastly later latter lead leading leads learn leave
led left lets level leverage life likely limited line list little live long longer look looking
looks lot lots low made main mainly maintain major make makes making manage manner mark matter
maybe mean meaning meaningful means meant mention mentioned merely method methods middle mindful
minor miss moment moreover mostly move moving multiple namely narrative natural naturally navigate
navigating nearly necessarily necessary need needed needs nevertheless new next nice non
nonetheless normal normally notable notably note noted noteworthy noting nuanced number numerous
obvious obviously occasionally occur offer offering offers oh ok okay old open opinion opportunity
opt option options order original originally otherwise ought overall overcome overview paragraph
part particular particularly parts pay people perfect perfectly perform perspective pick piece place
play plays please plenty plus point points portion possible possibly potential potentially
practical practice precisely prefer prepare present prevent previous previously primarily primary
prior probably problem problems process profound promote promoting proper properly provide provided
provides providing purpose put question questions quick quickly range rarely reach read ready real
realize really reason reasons recall recent recently recognize recommend reduce refer reflect
regarding regardless regular regularly relate related relatively relevant remain remains remarkable
remember require required requires resonate respect respectively response result resulting results
rich right role rough roughly run safe said save say saying says scenario second secondly section
see seek seem seems seen sense sentence separate series serious serve serves set setting several
severe share short show showing shown shows side significant significantly similar similarly
simple simplify simply single situation slightly slow small smaller smooth solid solution solutions
solve somehow somewhat soon sorry sort sorts sound source speak special specific specifically spend
stand start starting starts state stay step steps stop strategies strategy strength strive strong
stunning subsequently successful suggest suggests suitable sum summarize summary sure surprisingly
take taken takes taking tapestry task tell ten tend term terms testament text thank thanks
thing things think thinking third thirdly thorough thoroughly thought thoughts three time times tip
tips top topic total touch transform treat true truly try trying turn two type types typical
typically ultimately understand understanding underscore unfortunately unique unlike upper use used
useful user uses using usual usually utilize utilizing valuable value variety various vary vast
versus via vibrant view vital wait want wants way ways weave welcome well went whilst wide
wise wish wonder word words work working works world worth write writing wrong yeah yes
zero
"""

FUNCTION_WORDS = frozenset(_FUNCTION.split())
FILLERS = frozenset(_FILLER.split()) - FUNCTION_WORDS
