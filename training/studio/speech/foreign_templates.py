"""What voices of other languages say in them, by ISO 639-1 code; written for this project.

They read the English sentences as well: their sounds differ, and the labels are exact all the same.
"""

from __future__ import annotations

FOREIGN: dict[str, str] = {
    "de": """
Guten Morgen, wie geht es Ihnen heute?
Wir brauchen bis Freitag einen besseren Plan.
Meine Mutter wohnt in einem kleinen Haus am Fluss.
Das ist ja wunderbar!
Haben Sie vielleicht ein blaues Fahrrad gesehen?
Am Abend gab es Brot, Butter und Pflaumenmus.
Ich habe die Frage leider nicht verstanden.
Fünf Boote fuhren langsam über den See.
""",
    "es": """
Buenos días, ¿en qué puedo ayudarle?
Mi hermano compró un barco muy pequeño.
Mañana por la mañana vamos a la playa.
¡Qué bonita sorpresa!
La reunión empieza a las nueve y media.
Me gusta mucho el pan con aceite.
¿Dónde dejaste el paraguas verde?
Ponga el paquete encima de la mesa, por favor.
""",
    "fr": """
Bonjour, comment allez-vous aujourd'hui ?
Nous avons beaucoup parlé de ce problème.
Ma petite soeur apprend à jouer du piano.
Quelle belle journée !
Pouvez-vous répéter le numéro, s'il vous plaît ?
Le bateau bleu part vendredi matin.
Je voudrais une soupe et un peu de pain.
Personne ne sait où il habite maintenant.
""",
    "it": """
Buongiorno, posso aiutarla?
Mio padre prepara il caffè ogni mattina.
La macchina rossa è davanti alla porta.
Che bella sorpresa!
Domani pomeriggio abbiamo una riunione importante.
Dove hai messo la mappa della montagna?
Per favore, parli un po' più piano.
Vorrei un piatto di pasta e un bicchiere di vino.
""",
    "pt": """
Bom dia, em que posso ajudar?
O meu irmão mora perto do mar.
Amanhã vamos falar sobre o problema.
Que boa notícia!
Você pode abrir a janela, por favor?
Comprei um livro muito bom para o meu pai.
A reunião começa às dez horas.
Quem bebeu o meu café?
""",
    "pl": """
Dzień dobry, w czym mogę pomóc?
Moja mama mieszka nad morzem.
Jutro mamy ważne spotkanie w biurze.
Co za wspaniała pogoda!
Proszę powtórzyć numer telefonu.
Gdzie jest mój niebieski parasol?
Pies pobiegł za piłką do ogrodu.
Wieczorem piliśmy herbatę z miodem.
""",
}
