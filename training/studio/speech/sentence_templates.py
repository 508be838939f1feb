"""What synthetic people say: sentences with slots, by topic, written for this project.

One sentence a line. A slot in braces is filled by `sentences`. Only words that a common English
pronouncing dictionary knows, because neural voices are aligned with one; no digits for the same
reason.
"""

from __future__ import annotations

MEETING = """
Good morning {name}, can you hear me all right?
Let us begin with the budget for {month}.
I moved our meeting from {day} to {other_day}.
We have {number} items on the agenda today.
Could you share your screen with the whole team?
I think we should ship the {thing} before {month}.
The numbers look better than they did in {month}.
{name} will take the minutes this time.
Please mute your microphone when you are not speaking.
My apologies, I was talking with the sound off.
What is the main problem with the {thing}?
Maybe {name} and {other_name} could work on it together.
We promised them a proper plan by {day}.
I would rather wait for the results of the first test.
That is a fair point, but it costs too much money.
Both teams want the same {thing}, only in another {color}.
Let me summarize what we have agreed upon so far.
Who is going to bring this up with the management?
We need {number} more people for the spring campaign.
The board approved our proposal on {day} evening.
Before we move on, does anybody have a question?
I will send you a brief report by the end of the week.
Our biggest customer moved from {city} to {other_city}.
Can we postpone that part until {other_day}?
The first version was too slow, so we built it again.
I am not convinced that this is the best way forward.
Perhaps we could meet halfway and buy only {number}.
{name} made a beautiful map of the whole process.
We are behind by about {number} days.
Remember to update the page about the {thing}.
Everybody seems to be here, so let us get going.
How many people work from home in your office?
The camera froze for a moment, please say that once more.
My battery is low, I may vanish in {number} minutes.
That would be a big improvement for both of us.
We lost the file, but {name} keeps a backup in {city}.
Let us vote on it and be done.
The plan is simple, the problem is time.
I propose a break of {number} minutes.
Would you mind if I recorded this call?
She put the whole company on a very different path.
From my point of view, the price is the only obstacle.
We should probably ask {name} before we promise anything.
Five of us voted for it and four voted against.
I have prepared a few pictures to show you what I mean.
"""

SERVICE = """
Thank you for calling, my name is {name}, how may I help you?
Your order number is {digits}.
May I have your telephone number, please?
I am sorry for the trouble with your {thing}.
Your {thing} will arrive on {day} before noon.
Would you like the {color} one or the {other_color} one?
That makes {number} dollars and {other_number} cents.
Please hold the line while I look it up for you.
You can pay by card, by phone or in cash.
We close at {hour} on {day}.
Have you tried to switch it off and on again?
The part is broken, but we can replace it for free.
I will put you through to my colleague {name}.
Is there anything else that I can do for you?
Please spell your family name for me.
You will find the button above the {color} lamp.
The warranty covers both the {thing} and the battery.
We have got {number} of them in our shop in {city}.
Your flight to {city} leaves from gate {number}.
The next bus to {city} departs at {hour}.
I booked a room for two people from {day} to {other_day}.
Breakfast is served from six until half past nine.
Your password must be at least {number} letters long.
I can offer you a better price if you buy two.
Please bring your passport and a proof of payment.
The doctor can see you on {day} at {hour}.
Keep the {thing} away from heat and water.
Press the left button for about {number} seconds.
We will refund the full amount within a week.
Somebody will phone you back before {hour}.
Which of these photographs shows the problem best?
The elevator is over there, behind the big palm.
A table for {number} people, near the window perhaps?
I have written down your complaint, word for word.
Your package was left with a neighbor on {day}.
Do you want me to repeat the number for you?
The museum is open every day except {day}.
It should fit, but bring it back if it does not.
We deliver to {city} and to {other_city} as well.
I am afraid the {color} version is sold out.
"""

SMALL_TALK = """
How was your weekend, {name}?
We went to {city} by train and it rained the whole time.
My brother bought a {color} boat, of all things.
I made pumpkin soup with far too much pepper.
Did you watch the game on {day}?
The weather in {city} is beautiful in {month}.
My mother has been playing the piano for {number} years.
You look wonderful in that {color} jacket.
I slept badly because the baby woke up at {hour}.
Have you been to the new place near the park?
We always have {food} on {day} evenings.
I would love to learn how to bake bread.
Our puppy ate my favorite {color} shoe.
The children are growing up much too fast.
I read a book about a whale and a very brave boy.
That reminds me of our trip to {city}.
Would you like some {food} with your tea?
My neighbor {name} grows the best tomatoes in town.
I met {name} at the market by pure chance.
We might visit my family in {city} this {month}.
The music was so loud that I could feel the floor move.
It has been {number} years since we finished school.
I never know what to wear when it is warm outside.
What do you do when you are not at work?
Let me tell you a funny story about a goose.
He paints small portraits of people he sees on the bus.
My father still writes letters by hand.
There is nothing better than {food} after a long walk.
I forgot my umbrella on the bus again.
You should hear {name} sing, it is amazing.
We planted five apple trees behind the barn.
In summer we swim in the river every morning.
Please give my love to {other_name}.
I am thinking about moving closer to the sea.
My phone fell into the bath, so I missed your call.
They got married in a tiny village above the bay.
I bought a pair of {color} boots for almost nothing.
Nobody makes {food} like my grandmother did.
We took so many pictures that my camera gave up.
The moon was huge above the harbor last night.
"""

STORY = """
The old man put both hands on the wooden table and smiled.
A blue bird flew over the village and vanished behind the hill.
When the power failed, we played cards by the light of a lamp.
At the top of the tower there was a room full of clocks.
Many years ago, a poor farmer found a purple stone in his field.
The waves were higher than the boat, but the captain stayed calm.
She opened the box and found a map of the valley.
Nobody believed him until the snow began to fall.
The path goes through the woods and ends at a small white bridge.
Every morning the baker whistles the same three notes.
Far above the clouds, the air is thin and very cold.
They walked for {number} hours without saying a word.
Peter bought a bag of marbles and lost them all before lunch.
The museum keeps a mammoth that was found near {city}.
A good map shows what matters and leaves out the rest.
Water boils sooner on a mountain than by the sea.
The judge thought about it, shook her head, and left the room.
Two thirds of the earth are covered by the ocean.
It was the warmest {month} that anybody could remember.
The machine hums, wakes up, and prints a perfect copy.
Bees visit about {number} flowers on a single flight.
The choir fell silent when the bell began to move.
My aunt collects maps of places that do not exist.
He pushed the bike up the hill and rolled back down.
The fog was so thick that the bus followed a man on foot.
Some whales sing for hours, and others copy the song.
The thief took the frame and left the painting behind.
A wolf looks at the herd for a long time before it moves.
Along the beach there were footprints, but only going one way.
The shop sells buttons, ribbons, and very little else.
"""

QUESTION = """
Where did you put the {thing}?
Why would anybody paint a house {color}?
How much is a {thing} these days?
What time is it in {city} right now?
Who was the woman with the {color} umbrella?
Are you coming to the party on {day}?
Could you move a bit closer to the camera?
Shall we buy the {color} one for {name}?
Is it true that {name} moved to {city}?
Do you prefer {food} or something warm?
When did you begin to feel that way?
Which way is the harbor from here?
Would {hour} on {day} suit you?
Have you ever been to {city}?
How far is it from {city} to {other_city}?
May I ask you something personal?
Did {name} tell you about the {thing}?
What would you do in my place?
Can you remember the name of that film?
Have we met before, maybe in {city}?
Is that your real voice?
Why not, what could possibly go wrong?
Who moved my {thing}?
Was it {number} or {other_number}?
"""

EXCLAMATION = """
What a wonderful surprise!
Oh no, I forgot about the {thing}!
Wow, that is a huge {thing}!
Congratulations, {name}, well done!
Stop, do not push that button!
I cannot believe we won!
Hooray, it works at last!
Watch out for the {color} car!
What an awful noise!
Happy birthday, my dear {name}!
That is the best {food} I ever had!
Help me, please, it is falling!
Absolutely not, over my dead body!
Beautiful, simply beautiful!
Oh my, look at the time!
Come on, you can do it!
Bravo, {name}, bravo!
Ouch, that was my foot!
How dare you say such a thing!
Finally, some good news!
"""

NUMBERS = """
The code is {digits}, I repeat, {digits}.
My number is {digits}, call me any time.
{number}, {other_number}, and that makes a lot.
We sold {number} in {month} and {other_number} in the month before.
The temperature fell from {number} to {other_number} degrees.
Chapter {number} begins on page {other_number}.
It is {hour} in {city} and midnight in {other_city}.
Take bus number {number} and get off after {other_number} stops.
About {number} percent of them said yes.
You owe me {number} dollars, not {other_number}.
Room {number}, on the fifth floor.
Add {number} spoons of flour and {other_number} of sugar.
The distance is {number} miles, give or take.
One, two, three, four, five, six, seven.
Line {digits}, please go ahead.
"""

REPLY = """
Yes, of course.
No, not at all.
I am not so sure about that.
That sounds perfect to me.
Maybe you are right.
Good point, I had not thought of that.
I beg your pardon?
Thank you very much, {name}.
You are welcome.
Exactly, that is what I meant.
Well, it depends.
Let me think about it for a moment.
I would be happy to.
Sorry, could you say that again?
Fine by me.
Not before {day}, I am afraid.
It was {name} who told me.
I have absolutely no idea.
Probably around {hour}.
The {color} one, please.
Me too!
By all means, go ahead.
I hope so.
Please do.
Of course not, {name}.
Somewhere near {city}, if I remember well.
Give me {number} minutes.
Give it to {name}.
I could not agree more.
That is a bit too much for me.
"""

BACKCHANNEL = """
Mm hmm.
Yeah.
Right.
Okay.
I see.
Really?
Oh.
Sure.
Yes.
Uh huh.
Wow.
Hmm.
Exactly.
Oh no.
True.
"""

TOPICS: dict[str, str] = {
    "meeting": MEETING,
    "service": SERVICE,
    "small talk": SMALL_TALK,
    "story": STORY,
    "question": QUESTION,
    "exclamation": EXCLAMATION,
    "numbers": NUMBERS,
    "reply": REPLY,
    "backchannel": BACKCHANNEL,
}

SLOTS: dict[str, tuple[str, ...]] = {
    "name": (
        *("Bob", "Emma", "Paul", "Maria", "Pamela", "Oliver", "Sophie", "Victor", "Fiona", "Tom"),
        *("Barbara", "William", "Grace", "Philip", "Eve", "Marvin", "Joan", "Peter", "Ruth"),
        *("Amy", "Walter", "Bella", "Hugo", "Vivian", "George", "Charlotte", "Abby", "Miles"),
    ),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "month": (
        *("January", "February", "March", "April", "May", "June", "July", "August"),
        *("September", "October", "November", "December"),
    ),
    "city": (
        *("Boston", "Paris", "Rome", "Vienna", "Mumbai", "Tokyo", "Oslo", "Lisbon", "Prague"),
        *("Warsaw", "Geneva", "Havana", "Moscow", "Berlin", "Madrid", "Bombay", "Florence"),
    ),
    "color": (
        *("blue", "green", "yellow", "purple", "brown", "white", "black", "orange", "silver"),
        *("pink", "red", "gray"),
    ),
    "thing": (
        *("phone", "printer", "pump", "camera", "bicycle", "lamp", "mattress", "boiler", "map"),
        *("keyboard", "robot", "umbrella", "piano", "window", "heater", "watch", "washing machine"),
        *("computer", "suitcase", "garden table", "motor", "mailbox", "table", "bookshelf"),
    ),
    "food": (
        *("pasta", "mushroom soup", "apple pie", "fish", "pizza", "rice and beans", "ham and eggs"),
        *("fresh bread", "ice cream", "vegetable stew", "waffles", "a big salad", "plum jam"),
    ),
    "hour": (
        *("one", "two", "three", "half past four", "five", "a quarter to six", "seven", "eight"),
        *("ten past nine", "ten", "eleven", "noon"),
    ),
}
