# ruff: noqa: RUF001  (letters of other scripts that look like Latin ones)
"""Rigs with names in ten languages, as riggers write them: every joint has a bone, among helpers and controls."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rigs import Array
from rigs.skeleton import DEFAULT_SKELETON, INDEX, JOINTS, PARENTS

_TRUNK = ("pelvis", "spine1", "spine2", "spine3", "neck", "jaw", "head")
_LEG = ("hip", "knee", "ankle", "foot", "bigtoe")
_ARM = ("collar", "shoulder", "elbow", "wrist", "thumb", "middle")
_MIDDLE_PHALANX = "phalanx"


@dataclass(frozen=True)
class ForeignRig:
    """Names and parents of bones in no particular order of joints, rest positions (N, 3) m, and each joint's bone."""

    names: list[str]
    parents: list[int]
    heads: Array
    joints: dict[str, str]


def foreign_rig(
    sides: Mapping[str, tuple[str, str]], trunk: str, leg: str, arm: str, helpers: tuple[str, ...] = ()
) -> ForeignRig:
    """Build a rig from names separated by spaces, ~ for a space; {f}, {m} or {n} is replaced by that form of the side.

    trunk, leg: names from the pelvis and the hip outwards.
    arm: from the collar; before the fingertip the bone between.
    helpers: names of a root above the pelvis, of bones on it, and of a twist bone on each thigh and upper arm.
    """
    joints = dict(zip(_TRUNK, trunk.split(), strict=True))
    for n, side in enumerate(("left", "right")):
        forms = {form: both[n] for form, both in sides.items()}
        limbs = zip((*_LEG, *_ARM[:-1], _MIDDLE_PHALANX, "middle"), [*leg.split(), *arm.split()], strict=True)
        joints |= {f"{side}_{joint}": name.format(**forms) for joint, name in limbs}
    joints = {joint: name.replace("~", " ") for joint, name in joints.items()}
    phalanges = {side: joints.pop(f"{side}_{_MIDDLE_PHALANX}") for side in ("left", "right")}
    rest = DEFAULT_SKELETON.rest_positions()
    bones: list[tuple[str, str, Array]] = []
    root, *on_root = helpers or ("",)
    if root:
        bones.append((root, "", np.zeros(3)))
        for helper in on_root:
            for n, side in enumerate(("left", "right")):
                if "{" in helper:
                    name = helper.format(**{form: both[n] for form, both in sides.items()}).replace("~", " ")
                    bones.append((name, root, rest[INDEX[f"{side}_ankle"]]))
                elif n == 0:
                    bones.append((helper, root, np.zeros(3)))
    for j, joint in enumerate(JOINTS):
        parent = joints[JOINTS[PARENTS[j]]] if j else root
        if joint.endswith("_middle"):
            side = joint.partition("_")[0]
            bones.append((phalanges[side], parent, (rest[j] + rest[PARENTS[j]]) / 2.0))
            parent = phalanges[side]
        bones.append((joints[joint], parent, rest[j]))
        if joint.endswith(("_shoulder", "_hip")):
            bones.append((f"{joints[joint]}_twist", joints[joint], rest[j]))
    names = [name for name, _, _ in bones]
    parents = [names.index(parent) if parent else -1 for _, parent, _ in bones]
    assert len(set(names)) == len(names)
    return ForeignRig(names, parents, np.array([head for _, _, head in bones]), joints)


def _forms(**forms: str) -> dict[str, tuple[str, str]]:
    """Each form of both sides, from "left/right"."""
    both = {form: tuple(sides.split("/")) for form, sides in forms.items()}
    return {form: (left, right) for form, (left, right) in both.items()}


FOREIGN_RIGS: dict[str, ForeignRig] = {
    "French": foreign_rig(
        _forms(m="gauche/droit", f="gauche/droite"),
        "Bassin Colonne_01 Colonne_02 Poitrine Cou Tête Sommet_Tête",
        "Cuisse_{f} Tibia_{m} Pied_{m} Orteils_{m} Bout_Orteils_{m}",
        "Clavicule_{f} Bras_{m} Avant-Bras_{m} Main_{f} Majeur_01_{m} Majeur_02_{m} Majeur_03_{m}",
        ("Main", "IK_Main_{f}", "IK_Pied_{m}", "Pole_Genou_{m}"),
    ),
    "French, letters": foreign_rig(
        _forms(s="G/D"),
        "hanches dos dos.001 thorax nuque tete tete_bout",
        "jambe_sup.{s} jambe_inf.{s} cheville.{s} orteils.{s} orteils_bout.{s}",
        "epaule.{s} bras.{s} avantbras.{s} poignet.{s} majeur1.{s} majeur2.{s} majeur3.{s}",
        ("racine", "ctrl_main_ik.{s}", "ctrl_pied_ik.{s}"),
    ),
    "German": foreign_rig(
        _forms(s="links/rechts"),
        "Becken Wirbelsäule1 Wirbelsäule2 Brustkorb Hals Kopf Kopf_Ende",
        "Oberschenkel_{s} Unterschenkel_{s} Fuß_{s} Zehen_{s} Zehenspitze_{s}",
        "Schlüsselbein_{s} Oberarm_{s} Unterarm_{s} Hand_{s} Mittelfinger1_{s} Mittelfinger2_{s} Mittelfinger3_{s}",
        ("Wurzel", "IK_Hand_{s}", "IK_Fuß_{s}", "Knie_Ziel_{s}"),
    ),
    "German, inflected": foreign_rig(
        _forms(m="Linker/Rechter", f="Linke/Rechte", n="Linkes/Rechtes"),
        "Huefte Bauch Ruecken Brust Nacken Kopf Scheitel",
        "{n}~Bein~oben {n}~Knie {m}~Knoechel {m}~Fussballen {f}~Zehenspitze",
        "{f}~Schulter {m}~Oberarm {m}~Ellenbogen {n}~Handgelenk {m}~Mittelfinger~1 {m}~Mittelfinger~2"
        " {m}~Mittelfinger~3",
    ),
    "Spanish": foreign_rig(
        _forms(m="izquierdo/derecho", f="izquierda/derecha"),
        "Cadera Columna1 Columna2 Pecho Cuello Cabeza Punta_Cabeza",
        "Muslo_{m} Pantorrilla_{f} Pie_{m} DedosPie_{m} PuntaPieFin_{m}",
        "Clavícula_{f} Brazo_{m} Antebrazo_{m} Mano_{f} DedoMedio1_{m} DedoMedio2_{m} DedoMedio3_{m}",
        ("Raíz", "IK_Mano_{f}", "IK_Pie_{m}"),
    ),
    "Spanish, short": foreign_rig(
        _forms(s="Izq/Der"),
        "pelvis espalda abdomen torax cuello cabeza coronilla",
        "pierna{s} rodilla{s} tobillo{s} puntera{s} punta_dedos{s}",
        "hombro{s} brazo{s} codo{s} muneca{s} corazon1{s} corazon2{s} corazon3{s}",
        ("centro", "mano{s}_ctrl", "pie{s}_ctrl"),
    ),
    "Italian": foreign_rig(
        _forms(s="Sx/Dx"),
        "Bacino Colonna1 Colonna2 Torace Collo Testa Cima_Testa",
        "Coscia{s} Polpaccio{s} Piede{s} DitaPiede{s} PuntaDita{s}",
        "Clavicola{s} Braccio{s} Avambraccio{s} Mano{s} Medio1{s} Medio2{s} Medio3{s}",
        ("Radice", "IK_Mano{s}", "IK_Piede{s}"),
    ),
    "Italian, whole words": foreign_rig(
        _forms(m="sinistro/destro", f="sinistra/destra"),
        "anche addome schiena petto collo testa punta_testa",
        "gamba_superiore_{f} gamba_inferiore_{f} caviglia_{f} avampiede_{m} punta_alluce_{m}",
        "spalla_{f} braccio_{m} gomito_{m} polso_{m} dito_medio_1_{m} dito_medio_2_{m} dito_medio_3_{m}",
    ),
    "Portuguese": foreign_rig(
        _forms(m="Esquerdo/Direito", f="Esquerda/Direita"),
        "Quadril Coluna1 Coluna2 Peito Pescoço Cabeça Topo_da_Cabeça",
        "Coxa_{f} Canela_{f} Pé_{m} Dedos_do_Pé_{m} Ponta_dos_Dedos_{f}",
        "Clavícula_{f} Braço_{m} Antebraço_{m} Mão_{f} Dedo_Médio_1_{m} Dedo_Médio_2_{m} Dedo_Médio_3_{m}",
        ("Raiz", "IK_Mão_{f}", "IK_Pé_{m}"),
    ),
    "Portuguese, letters": foreign_rig(
        _forms(s="E/D"),
        "bacia lombar abdome torax pescoco cabeca fim_cabeca",
        "perna_sup_{s} joelho_{s} tornozelo_{s} ponta_pe_{s} fim_dedos_{s}",
        "ombro_{s} braco_{s} cotovelo_{s} pulso_{s} medio1_{s} medio2_{s} medio3_{s}",
    ),
    "Polish": foreign_rig(
        _forms(m="lewy/prawy", f="lewa/prawa", n="lewe/prawe"),
        "Miednica Kręgosłup1 Kręgosłup2 Klatka_piersiowa Szyja Głowa Czubek_głowy",
        "Udo_{n} Łydka_{f} Stopa_{f} Palce_stopy_{n} Koniec_stopy_{m}",
        "Obojczyk_{m} Ramię_{n} Przedramię_{n} Dłoń_{f} Palec_środkowy_1_{m} Palec_środkowy_2_{m} Palec_środkowy_3_{m}",
        ("Korzeń", "IK_Dłoń_{f}", "IK_Stopa_{f}"),
    ),
    "Polish, letters": foreign_rig(
        _forms(s="L/P"),
        "biodra brzuch plecy klatka kark glowa glowa_koniec",
        "udo_{s} kolano_{s} kostka_{s} palce_nogi_{s} czubek_palcow_{s}",
        "bark_{s} ramie_{s} lokiec_{s} nadgarstek_{s} srodkowy1_{s} srodkowy2_{s} srodkowy3_{s}",
    ),
    "Russian": foreign_rig(
        _forms(m="левый/правый", f="левая/правая", n="левое/правое"),
        "Таз Позвоночник1 Позвоночник2 Грудь Шея Голова Макушка",
        "{n}_бедро {f}_голень {f}_стопа {m}_носок {m}_носок_конец",
        "{f}_ключица {n}_плечо {n}_предплечье {f}_кисть {m}_средний_палец_1 {m}_средний_палец_2 {m}_средний_палец_3",
        ("Корень", "ИК_{f}_кисть", "ИК_{f}_стопа"),
    ),
    "Russian, letters": foreign_rig(
        _forms(s="Л/П"),
        "таз поясница спина грудь шея голова темя",
        "нога.{s} колено.{s} лодыжка.{s} мысок.{s} конец_носка.{s}",
        "плечо.{s} рука.{s} локоть.{s} запястье.{s} средний1.{s} средний2.{s} средний3.{s}",
    ),
    "Russian, in Latin letters": foreign_rig(
        _forms(f="levaya/pravaya", n="levoe/pravoe", m="leviy/praviy"),
        "taz poyasnica spina grud sheya golova makushka",
        "bedro_{n} golen_{f} stopa_{f} nosok_{m} nosok_konec_{m}",
        "klyuchica_{f} plecho_{n} predpleche_{n} kist_{f} sredniy_palec_1_{m} sredniy_palec_2_{m} sredniy_palec_3_{m}",
    ),
    "Japanese": foreign_rig(
        _forms(s="左/右"),
        "腰 背骨 背骨2 胸 首 頭 頭頂",
        "{s}太もも {s}すね {s}足首 {s}つま先 {s}つま先先端",
        "{s}鎖骨 {s}上腕 {s}前腕 {s}手首 {s}中指1 {s}中指2 {s}中指3",
        ("全ての親", "{s}手IK", "{s}足ＩＫ", "{s}つま先ＩＫ"),
    ),
    "Japanese, dots": foreign_rig(
        _forms(s="L/R"),
        "骨盤 腹 脊椎2 上胸 くび あたま 頭先",
        "もも.{s} ひざ.{s} 足.{s} 足指.{s} 足指先.{s}",
        "肩.{s} 腕.{s} ひじ.{s} 手.{s} 中指１.{s} 中指２.{s} 中指３.{s}",
    ),
    "Japanese, in Latin letters": foreign_rig(
        _forms(s="hidari/migi"),
        "koshi hara sebone mune kubi atama atama_saki",
        "{s}_momo {s}_hiza {s}_ashikubi {s}_tsumasaki {s}_tsumasaki_end",
        "{s}_kata {s}_ude {s}_hiji {s}_tekubi {s}_nakayubi1 {s}_nakayubi2 {s}_nakayubi3",
    ),
    "Chinese": foreign_rig(
        _forms(s="左/右"),
        "骨盆 脊椎1 脊椎2 胸部 脖子 头部 头顶",
        "{s}大腿 {s}小腿 {s}脚 {s}脚趾 {s}脚趾末端",
        "{s}锁骨 {s}上臂 {s}前臂 {s}手 {s}中指1 {s}中指2 {s}中指3",
        ("根骨骼", "{s}手IK", "{s}脚IK"),
    ),
    "Chinese, traditional": foreign_rig(
        _forms(s="左邊/右邊"),
        "髖部 腰部 脊柱 胸腔 頸部 頭部 頭末端",
        "大腿骨_{s} 膝蓋_{s} 腳踝_{s} 腳尖_{s} 腳尖末端_{s}",
        "肩膀_{s} 手臂_{s} 手肘_{s} 手腕_{s} 中指_1_{s} 中指_2_{s} 中指_3_{s}",
    ),
    "Korean": foreign_rig(
        _forms(s="왼쪽/오른쪽"),
        "골반 척추1 척추2 가슴 목 머리 머리끝",
        "{s}_허벅지 {s}_종아리 {s}_발 {s}_발가락 {s}_발가락끝",
        "{s}_쇄골 {s}_위팔 {s}_아래팔 {s}_손 {s}_중지1 {s}_중지2 {s}_중지3",
        ("루트", "{s}_손_IK", "{s}_발_IK"),
    ),
    "Korean, in one word": foreign_rig(
        _forms(s="왼/오른"),
        "엉덩이뼈 허리 등 흉부 목뼈 머리뼈 정수리",
        "{s}다리 {s}무릎 {s}발목 {s}발끝 {s}발가락끝",
        "{s}어깨 {s}팔 {s}팔꿈치 {s}손목 {s}가운데손가락1 {s}가운데손가락2 {s}가운데손가락3",
    ),
}
